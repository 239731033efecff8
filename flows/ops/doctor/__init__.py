"""What is wrong with an installation, and how to mend it."""

from flows.ops.doctor.check import Case, Check
from flows.ops.doctor.effect import in_effect
from flows.ops.doctor.examine import Examination, api_in_use, examine, examine_without

__all__ = [
    "Case",
    "Check",
    "Examination",
    "api_in_use",
    "examine",
    "examine_without",
    "in_effect",
]
