"""Reading models: which versions there are, what they differ in, which of two finds more."""

from pipelines.models.compare import compare_models
from pipelines.models.diff import diff_models
from pipelines.models.show import list_models, show_model

__all__ = ["compare_models", "diff_models", "list_models", "show_model"]
