"""What a verification found, and how it is collected."""

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

TOLD = 100
"""Problems of one kind that are told one by one; of the rest their number."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it must be."""

    kind: str
    uri: str
    """Of the document; empty where it is about the store, a source's name about a source."""
    detail: str
    """Counts, names and positions; never the document's text."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found."""

    publication: int
    documents: int
    chunks: int
    explained: dict[str, int]
    """Differences from the sources that have a reason, documents by kind of reason."""
    problems: tuple[Problem, ...]
    unreachable: dict[str, str] = field(default_factory=dict)
    """Sources that could not be listed, and why: nothing of them was compared."""

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    @property
    def exit_code(self) -> int:
        """3 where a person has to look, else 4 where a source could not be reached."""
        return 3 if not self.ok else 4 if self.unreachable else 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "ok": self.ok,
            "publication": self.publication,
            "documents": self.documents,
            "chunks": self.chunks,
            "explained": dict(sorted(self.explained.items())),
            "problems": [dataclasses.asdict(problem) for problem in self.problems],
            "unreachable": self.unreachable,
        }


@dataclass(slots=True)
class Findings:
    """Problems and explained differences as they come; bounded, however broken the store is."""

    explained: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    told: list[Problem] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)
    """Sources that could not be listed, and why."""

    def add(self, kind: str, uri: str, detail: str) -> None:
        """A problem."""
        self.found[kind] += 1
        if self.found[kind] <= TOLD:
            self.told.append(Problem(kind, uri, detail))

    def explain(self, kind: str, count: int = 1) -> None:
        """Documents that differ for a reason."""
        self.explained[kind] += count

    def problems(self) -> tuple[Problem, ...]:
        """All of them; the last of a kind may say how many more there are."""
        more = (
            Problem(kind, "", f"and {count - TOLD} more")
            for kind, count in self.found.items()
            if count > TOLD
        )
        return (*self.told, *more)
