"""Calls the command line in process, and knows what it promises to print."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.cli import run
from tests.fakes import HashEncoder
from tests.project import Project


def keys(names: str) -> dict[str, Any]:
    """A shape of keys whose values may be anything."""
    return dict.fromkeys(names.split())


REPORT = {
    **keys("knowledge run publication published reason"),
    "documents": keys("added changed relabelled moved deleted unchanged held quarantined withheld"),
    "chunks": keys("embedded reused deleted total"),
    "tokens_embedded": None,
    "seconds": keys("scan plan embed write audit publish total"),
    "sources": [keys("name complete error documents")],
    "attention": None,
}
_QUARANTINED = keys("uri source expectation observed since")
SHAPES: dict[str, dict[str, Any]] = {
    "plan": {
        **REPORT,
        "estimate": keys("seconds cost"),
        "changes": None,
    },
    "refresh": REPORT,
    "search fox": {
        **keys("publication data_as_of overdue"),
        "hits": [
            keys("score text uri title heading source source_version domain labels document_hash")
        ],
    },
    "status": {
        **keys("publication pinned health attention"),
        "sources": [
            {
                **keys(
                    "name health last_scan_at data_as_of documents"
                    " pending held quarantined withheld"
                ),
                "lag_seconds": keys("p50 p95 max"),
                "deletion_lag_seconds": keys("p50 p95 max"),
            }
        ],
    },
    "history": {
        **keys("publication pinned"),
        "publications": [
            keys(
                "number at actor reason documents chunks tokens_embedded"
                " embedder run data_as_of restores kept"
            )
        ],
    },
    "history diff 1 #2": keys("from to added deleted changed"),
    "head": keys("publication uri table version filter"),
    "holds": {"holds": [keys("id kind source since items why")]},
    "verify --sample 2 --sources": {**keys("ok publication documents chunks explained problems")},
    "quarantine list": {"documents": [_QUARANTINED]},
    "quarantine show docs/broken.md": {"documents": [{**_QUARANTINED, "excerpt": None}]},
    "audit": {
        **keys("ok knowledge publication at compared_with documents chunks"),
        **keys("measures mend history accepted released page"),
        "verdicts": [
            keys("grain expectation severity expected passed checked observed failed rows")
        ],
    },
    "audit --explain docs/broken.md": keys(
        "uri source expectation expected observed since withheld excerpt suite"
    ),
    "audit --lint": {
        "ok": None,
        "suites": [keys("grain file expectations critical warning")],
        "golden": keys("folder questions enough"),
    },
    "freshness": {
        "ok": None,
        "sources": [
            {
                **keys("name state last_complete_scan_at oldest_pending_at health why pending"),
                **keys("warn_after error_after paused"),
                "lag_seconds": keys("p50 p95 max"),
                "deletion_lag_seconds": keys("p50 p95 max"),
            }
        ],
    },
    "sources": {
        "sources": [keys("name kind location state health why last_complete_scan_at paused")]
    },
    "sources resume docs": keys("source paused changed since by reason"),
}


@dataclass
class Cli:
    """Calls the command line on one project."""

    project: Project
    capture: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    @classmethod
    def on_new_project(cls, root: Path, capture: pytest.CaptureFixture[str]) -> "Cli":
        """On a project without documents."""
        project = Project(root, HashEncoder(model="all-MiniLM-L6-v2"))
        (root / "docs").mkdir()
        project.configure()
        return cls(project, capture)

    def __call__(self, *argv: str, code: int = 0) -> str:
        """What is printed for eyes on stdout."""
        self.project.later()
        found = run(
            ["--config", str(self.project.root / "staleproof.toml"), *argv],
            ports=self.project.ports(),
            now=self.project.now,
        )
        self.out, self.err = self.capture.readouterr()
        assert found == code, f"{argv}: {found}, {self.out}{self.err}"
        return self.out

    def json(self, *argv: str, code: int = 0) -> dict[str, Any]:
        said = json.loads(self(*argv, "--json", code=code))
        assert isinstance(said, dict)
        return said


def assert_shape(said: Any, shape: Any, at: str = "") -> None:
    """Every key of the shape is there, at every depth; lists have something to look at."""
    if isinstance(shape, dict):
        assert set(shape) <= set(said), f"{at}: {set(shape) - set(said)} missing"
        for key, inner in shape.items():
            assert_shape(said[key], inner, f"{at}.{key}")
    elif isinstance(shape, list):
        assert said, f"{at} is empty"
        for item in said:
            assert_shape(item, shape[0], at)
