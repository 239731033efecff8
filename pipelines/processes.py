"""Processes by their id and the time they started, for ids are used again."""

from dataclasses import dataclass

import psutil

_SAME_SECONDS = 1.0
"""Times of a start that were read twice differ by rounding."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process, and no later one of the same number."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """The process that has this number now.

        Raises:
            ProcessLookupError: None has it.
        """
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess as error:
            raise ProcessLookupError(pid) from error


def is_alive(process: ProcessId) -> bool:
    """Whether exactly this process still runs; one that nobody has waited for yet does not."""
    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - process.created) < _SAME_SECONDS
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
