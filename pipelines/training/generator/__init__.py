"""What is particular to a generator: examples with passages, its adapter, its answers and its gate."""

from pipelines.training.generator.base import base_folder, fingerprint
from pipelines.training.generator.evaluate import measure, run_evaluation
from pipelines.training.generator.examples import make_dataset
from pipelines.training.generator.gate import METRIC, judge
from pipelines.training.generator.learn import learn

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
