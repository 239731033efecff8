"""A run that is stopped at any write while a source is held or reviewed is finished by the next."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipelines.decide import open_holds
from pipelines.refresh import Ports
from tests.expectations import write_few
from tests.project import Project, source

LONG = "".join(f"## Part {n}\n\n{'words of part ' * 12}{n}\n\n" for n in range(20))
FINANCE = '[[sources.rules]]\nmatch = "finance/**"\ndomain = "finance"\n'
REVIEW = '[[domains]]\nname = "finance"\nreview = true\n'


class Stopped(BaseException):
    """Ends a run as a kill would: nothing after it is written."""


@dataclass
class Writes:
    """Counts the writes of a run and stops it before one of them."""

    stop_at: int | None = None
    count: int = field(default=0)

    def __call__(self, verb: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self.count += 1
        if self.count == self.stop_at:
            raise Stopped
        return verb(*args, **options)


@dataclass
class Stopping(Project):
    """A project whose next refresh can be stopped."""

    writes: Writes = field(default_factory=Writes)

    def ports(self) -> Ports:
        return Ports(lambda model, *, root, batch_size=32: self.encoder, self.writes)


def made(root: Path) -> Stopping:
    """Two sources; one is about to fail its audit, of the other one change is to be reviewed."""
    project = Stopping(root)
    for folder in ("docs", "other"):
        (root / folder).mkdir(parents=True)
    project.configure(source(), source("other", path="other", more=FINANCE), more=REVIEW)
    write_few(root / "data/expectations")
    suite = json.loads((root / "data/expectations/publication.json").read_text())
    suite["expectations"][0]["kwargs"] = {"column": "chunks_ratio", "min_value": 0.5}
    (root / "data/expectations/publication.json").write_text(json.dumps(suite))
    for number in range(3):
        project.write(f"{number}.md", f"# Document {number}\n\n{LONG}")
    (root / "other/x.md").write_text("# X\n\nOf the other source.\n")
    project.refresh()
    for number in range(3):
        project.write(f"{number}.md", f"# Document {number}\n\nShort now.\n")
    (root / "other/x.md").write_text("# X\n\nEdited.\n")
    (root / "other/finance").mkdir()
    (root / "other/finance/y.md").write_text("# Y\n\nTo be reviewed.\n")
    return project


def ended(project: Project) -> tuple[Any, ...]:
    rows = [(r["uri"], r["position"], r["text"], r["vector"]) for r in project.rows()]
    holds = {(h.id, h.kind, h.source) for h in open_holds(project.config)}
    candidate = project.search("anything", publication="candidate")
    return rows, holds, {hit.text for hit in candidate.hits}


@pytest.mark.slow
def test_stopped_before_any_write_the_next_run_ends_the_same(tmp_path: Path) -> None:
    calm = made(tmp_path / "calm")
    calm.writes = Writes()
    calm.refresh()
    wanted = ended(calm)
    assert {kind for _, kind, _ in wanted[1]} == {"audit", "review"}
    for at in range(1, calm.writes.count + 1):
        project = made(tmp_path / str(at))
        project.writes = Writes(stop_at=at)
        with pytest.raises(Stopped):
            project.refresh()
        project.writes = Writes()
        project.refresh()
        assert ended(project) == wanted, f"stopped before write {at} of {calm.writes.count}"
