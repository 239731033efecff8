"""What is expected and what was found: the words of an audit, as frozen records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

Columns = Mapping[str, Sequence[Any]]
"""A table to check: name -> values, all of one length. None stands for what is not judged."""


class Grain(StrEnum):
    """What one row of a checked table is; the name of its suite's file too."""

    DOCUMENTS = "documents"
    CHUNKS = "chunks"
    PUBLICATION = "publication"
    """A row is one source of a publication."""


class Severity(StrEnum):
    """What a failed expectation means."""

    CRITICAL = "critical"
    """A document goes to quarantine, a source is held."""
    WARNING = "warning"
    """It is told, and published."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One entry of a suite."""

    name: str
    """Snake case, unique in its suite: what quarantine and reports show."""
    type: str
    """As Great Expectations calls it, e.g. ``expect_column_values_to_be_between``."""
    severity: Severity
    kwargs: Mapping[str, Any]
    expected: str
    """In words: ``mojibake_share between 0 and 0.01``."""
    by_row: bool
    """Whether it says which rows fail; else it judges the table as a whole."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What is expected of one grain."""

    grain: Grain
    path: Path | None
    """The file it was read from; None for the built-in one."""
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class Suites:
    """The three suites that hold."""

    documents: Suite
    chunks: Suite
    publication: Suite
    hash: str
    """Of everything in them, hexadecimal: what a verdict rests on."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one expectation on one table."""

    grain: Grain
    expectation: str
    severity: Severity
    expected: str
    passed: bool
    checked: int
    """Rows of the table."""
    observed: str
    """In words: what was there, counts and names only; never the document's text."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Key of a failing row -> what was there. Empty where the table was judged as a whole."""
