"""What is particular to an embedder: hard negatives, its training, its ranks and its latency."""

from pipelines.training.embedder.learn import learn
from pipelines.training.embedder.model import base_folder
from pipelines.training.embedder.negatives import mine_negatives
from pipelines.training.embedder.rank import latency, rank

__all__ = ["base_folder", "latency", "learn", "mine_negatives", "rank"]
