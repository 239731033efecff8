"""Looks at the models that serve: what has happened since, and what follows from it."""

from pipelines.watch.ports import Ports
from pipelines.watch.records import Replay, ReplayRow, Report, Watched
from pipelines.watch.replay import replay
from pipelines.watch.run import watch_models
from pipelines.watch.titles import titles_for

__all__ = [
    "Ports",
    "Replay",
    "ReplayRow",
    "Report",
    "Watched",
    "replay",
    "titles_for",
    "watch_models",
]
