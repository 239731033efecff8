"""Checks suites and golden questions without a store: before anything depends on them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.config import Config
from pipelines.quality.canaries import read_canaries
from pipelines.quality.publication import FEW_CANARIES
from pipelines.quality.records import Severity, Suite, Suites
from pipelines.quality.suites import load_suites
from pipelines.quality.validate import lint_suites


@dataclass(frozen=True, slots=True)
class Linted:
    """What suites and golden questions hold, every entry of them fit for use."""

    suites: Suites
    golden: Path
    """The folder, which need not be there."""
    questions: int
    root: Path
    """Of the project."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON; files as the project's folder sees them, None for what is built in."""
        whole = (self.suites.documents, self.suites.chunks, self.suites.publication)
        return {
            "ok": True,
            "suites": [self._suite(suite) for suite in whole],
            "golden": {
                "folder": self._seen(self.golden),
                "questions": self.questions,
                "enough": self.questions >= FEW_CANARIES,
            },
        }

    def _suite(self, suite: Suite) -> dict[str, Any]:
        counted = Counter(e.severity for e in suite.expectations)
        return {
            "grain": suite.grain.value,
            "file": None if suite.path is None else self._seen(suite.path),
            "expectations": len(suite.expectations),
            **{severity.value: counted[severity] for severity in Severity},
        }

    def _seen(self, path: Path) -> str:
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)


def lint_files(config: Config) -> Linted:
    """Reads everything that an audit goes by, and has Great Expectations build every expectation.

    Raises:
        ConfigError: Something in it is wrong; names file and entry.
    """
    suites = load_suites(config.expectations)
    lint_suites(suites)
    questions = len(read_canaries(config.golden))
    return Linted(suites, config.golden, questions, config.root)
