"""What is particular to an embedder: pairs, hard negatives, its training, its ranks and its latency."""

from pipelines.embedding import fingerprint
from pipelines.training.embedder.learn import learn
from pipelines.training.embedder.model import base_folder
from pipelines.training.embedder.stages import METRIC, make_dataset, measure, run_evaluation
from pipelines.training.gate import judge

__all__ = [
    "METRIC",
    "base_folder",
    "fingerprint",
    "judge",
    "learn",
    "make_dataset",
    "measure",
    "run_evaluation",
]
