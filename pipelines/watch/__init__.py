"""Looks at the models that serve: what has happened since, and what follows from it."""

from pipelines.watch.records import Replay, ReplayRow, Report, Watched

__all__ = ["Replay", "ReplayRow", "Report", "Watched"]
