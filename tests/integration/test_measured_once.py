"""A process that refreshes again and again reads each vector once."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipelines.knowledge import State, Store, newest
from pipelines.quality import measure
from tests.project import Project


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[State]:
    """The states of which all vectors are read, in order."""
    read: list[State] = []
    streamed = measure.streamed

    def counting(store: Store, state: State, columns: Sequence[str], **more: Any) -> Any:
        read.append(state)
        return streamed(store, state, columns, **more)

    monkeypatch.setattr(measure, "streamed", counting)
    return read


def test_published_state_is_not_measured_again(project: Project, whole: list[State]) -> None:
    for word in ("one", "two", "three"):
        project.write("a.md", f"# A\n\nIt says {word}.\n")
        assert project.refresh().published
    assert len(whole) == len(set(whole)) == 3


def test_of_the_next_state_only_what_differs_is_read(
    project: Project, whole: list[State], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[int] = []
    read_rows = measure.read_rows

    def counting(table: Any, rows: Any, *args: Any) -> Any:
        looked_up.append(len(rows))
        return read_rows(table, rows, *args)

    monkeypatch.setattr(measure, "read_rows", counting)
    for number in range(20):
        project.write(f"{number:02}.md", f"# A\n\nIt says {number}.\n")
    project.refresh()
    assert (len(whole), looked_up) == (1, [])
    for word in ("one", "two"):
        project.write("07.md", f"# A\n\nIt says {word} now.\n")
        assert project.refresh().published
    assert (len(whole), looked_up) == (1, [1, 1] * 2)
    monkeypatch.setattr(measure, "AGAIN_SECONDS", 0.0)
    project.write("07.md", "# A\n\nIt says three now.\n")
    assert project.refresh().published
    assert len(whole) == 2, "now and then all is read again"


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


def test_store_that_was_put_in_the_place_of_another_is_measured_anew(project: Project) -> None:
    """Version numbers of a copy that is put back come again with other rows."""
    for text in ("one", "two"):
        project.write("a.md", f"# A\n\nIt says {text}.\n")
        project.refresh()
    last = newest(project.store)
    assert last is not None
    state = last.state
    measured = measure.measure_published(
        project.store, state, questions=None, withheld=[], apart=[]
    )
    other = replace(measured, places=replace(measured.places, files=frozenset()))
    key = measure._key(project.store, state, None, frozenset(), frozenset())
    measure._remembered[key] = other
    again = measure.measure_published(project.store, state, questions=None, withheld=[], apart=[])
    assert again is not other
    assert again.documents == measured.documents
