"""What one look of the doctor is given, and what it says."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from flows.ops.rest import Api
from pipelines.config import Config

State = Literal["ok", "warn", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    found: str
    """A sentence, or a few words."""
    mend: str = ""
    """What to do; empty where nothing needs to be done."""
    fixable: bool = False
    """Whether ``--fix`` does it."""
    retryable: bool = False
    """An error that may heal by itself: something cannot be reached now."""

    def named(self, name: str) -> "Check":
        """The same under another name."""
        return replace(self, name=name)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Case:
    """What is looked at."""

    config: Config
    now: datetime
    api: Api
    """The server that this project uses."""
    is_wanted: bool
    """Somebody named the server, or started it: that it does not answer is then an error."""
    answers: bool = False
    """Whether it does, and to us."""


def ok(found: str) -> Check:
    """All is well."""
    return Check("", "ok", found)


def warn(found: str, mend: str, *, fixable: bool = False) -> Check:
    """It goes on like this, for a while."""
    return Check("", "warn", found, mend, fixable)


def error(found: str, mend: str, *, fixable: bool = False) -> Check:
    """Something does not work, or will not."""
    return Check("", "error", found, mend, fixable)


def skipped(found: str, mend: str = "") -> Check:
    """It was not looked at."""
    return Check("", "skipped", found, mend)


def counted(number: int, noun: str) -> str:
    """``1 document``, ``2,000 documents``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
