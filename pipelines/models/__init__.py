"""Reading models: which versions there are, what they differ in, which of two finds more."""

from pipelines.models.compare import compare_models
from pipelines.models.diff import diff_models
from pipelines.models.export import export_model
from pipelines.models.show import list_models, show_model
from pipelines.models.story import Turn, model_story

__all__ = [
    "Turn",
    "compare_models",
    "diff_models",
    "export_model",
    "list_models",
    "model_story",
    "show_model",
]
