"""Verify: the store against itself, and against the sources, by code that shares nothing."""

from pipelines.verify.report import Problem, Verification
from pipelines.verify.run import verify_knowledge

__all__ = ["Problem", "Verification", "verify_knowledge"]
