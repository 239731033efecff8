"""A process that refreshes again and again reads the vectors of each state once."""

from collections.abc import Sequence
from typing import Any

import pytest

from pipelines.knowledge import State, Store, newest
from pipelines.quality import measure
from tests.project import Project


def test_published_state_is_not_measured_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, int]] = []
    streamed = measure.streamed

    def counting(store: Store, state: State, columns: Sequence[str]) -> Any:
        read.append(state)
        return streamed(store, state, columns)

    monkeypatch.setattr(measure, "streamed", counting)
    for word in ("one", "two", "three"):
        project.write("a.md", f"# A\n\nIt says {word}.\n")
        assert project.refresh().published
    assert len(read) == len(set(read)) == 3


def test_what_is_withheld_since_is_measured_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is remembered for other questions, or for a state of which less is shown."""
    project.write("a.md", "# A\n\nIt says one.\n")
    project.refresh()
    last = newest(project.store)
    assert last is not None
    state = last.state
    seen = measure.measure_published(
        project.store, state, questions=None, withheld=["docs/a.md"], apart=[]
    )
    assert seen.withheld == {"docs/a.md"}
