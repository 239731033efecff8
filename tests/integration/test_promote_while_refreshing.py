"""While an index is filled, refreshes go on and readers see whole publications, by one embedder each."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flows.warm.encoders import Encoders
from pipelines.answers import Hits
from pipelines.errors import FillFailed
from pipelines.fill import rounds
from pipelines.knowledge import Filter, publications, readers, reading, search_state
from tests.retrained import Retrained, retrained, text

QUESTIONS = tuple(f"what does document {n} part 1 say of w{n}p1" for n in range(8))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Retrained:
    monkeypatch.setattr(rounds, "BATCH_TEXTS", 6)
    monkeypatch.setattr(rounds, "ROUND_BATCHES", 4)
    return retrained(tmp_path, documents=16, knowledge="keep_publications = 200")


def outside_the_lock(project: Retrained, act: Callable[[], None], times: int) -> Any:
    """Acts at each progress of a fill, so often, but not while it holds the refresh lock."""
    acted: list[int] = []

    def listen(event: Any) -> None:
        holder = Path(project.config.store_uri) / "refresh.holder.json"
        if getattr(event, "phase", "") == "fill" and len(acted) < times and not holder.exists():
            acted.append(1)
            act()

    project.events = _Events(listen)
    return acted


class _Events(list[Any]):
    def __init__(self, listen: Callable[[Any], None]) -> None:
        super().__init__()
        self._listen = listen

    def append(self, event: Any) -> None:
        super().append(event)
        self._listen(event)


@dataclass
class Asker:
    """Asks in a thread, again and again; every answer is kept with its question."""

    project: Retrained
    stop: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[str, Hits]] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            question = QUESTIONS[number % len(QUESTIONS)]
            try:
                self.answers.append((question, self.project.search(question)))
            except BaseException as error:  # noqa: BLE001 - told by the test
                self.errors.append(error)
                return
            number += 1

    def until(self, more: int) -> None:
        wanted = len(self.answers) + more
        while len(self.answers) < wanted and not self.errors:
            time.sleep(0.01)


@contextmanager
def asking(project: Retrained) -> Iterator[Asker]:
    asker = Asker(project)
    thread = threading.Thread(target=asker.run)
    thread.start()
    try:
        yield asker
    finally:
        asker.stop.set()
        thread.join()


def wrong_answers(project: Retrained, asker: Asker) -> list[str]:
    """Those that are not what the publication that they name answers by its own embedder."""
    rows = {row.number: row for row in publications(project.store)}
    known: dict[tuple[int, str], list[tuple[str, str]]] = {}
    wrong = []
    for question, hits in asker.answers:
        row, key = rows[hits.publication], (hits.publication, question)
        if key not in known:
            encoder = project.load(row.model, root=project.root)
            found = search_state(
                project.store,
                row.state,
                encoder.encode_query(question),
                k=50,
                only=Filter(frozenset(), row.withheld),
            )
            known[key] = sorted((f"{one['score']:.3f}", one["text"]) for one in found)
        if sorted((f"{hit.score:.3f}", hit.text) for hit in hits.hits) != known[key]:
            wrong.append(f"#{hits.publication}: {question}")
    return wrong


def test_edits_during_a_fill_are_found_at_once_and_after_the_switch(project: Retrained) -> None:
    edits = iter(range(5))

    def edit() -> None:
        number = next(edits)
        project.write(f"{number}.md", text(number, f"edit{number}"))
        live = project.last.model
        assert project.refresh().published
        assert project.last.model == live
        found = project.search(f"Document {number} part 1 says edit{number}")
        assert any(f"edit{number}" in hit.text for hit in found.hits)

    acted = outside_the_lock(project, edit, 5)
    promoted = project.promote()
    assert promoted.promoted
    assert len(acted) == 5
    texts = " ".join(hit.text for hit in project.search("anything").hits)
    assert all(f"edit{number}" in texts for number in range(5))
    assert project.problems() == []


def test_readers_are_answered_by_single_publications_across_the_switch_and_back(
    project: Retrained,
) -> None:
    with asking(project) as asker:
        asker.until(5)
        project.promote()
        asker.until(5)
        project.demote()
        asker.until(5)
        project.refresh()
    assert asker.errors == []
    assert {hits.publication for _, hits in asker.answers} >= {1, 2, 3}
    assert wrong_answers(project, asker) == []


@pytest.mark.slow
def test_thousand_searches_and_fifty_edits_across_the_switch_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "BATCH_TEXTS", 3)
    monkeypatch.setattr(rounds, "ROUND_BATCHES", 60)
    project = retrained(tmp_path, documents=60, knowledge="keep_publications = 200")
    edits = iter(range(50))

    def edit() -> None:
        number = next(edits)
        project.write(f"{number}.md", text(number, f"edit{number}"))
        assert project.refresh().published
        found = project.search(f"Document {number} part 1 says edit{number}")
        assert any(f"edit{number}" in hit.text for hit in found.hits)

    acted = outside_the_lock(project, edit, 50)
    with asking(project) as asker:
        assert project.promote().promoted
        asker.until(100)
        project.demote()
        asker.until(100)
        project.refresh()
        project.promote("v0.0.2")
        asker.until(max(100, 1000 - len(asker.answers)))
    assert len(acted) == 50
    assert asker.errors == []
    assert len(asker.answers) >= 1000
    assert wrong_answers(project, asker) == []
    assert project.problems() == []


@dataclass
class Lane:
    """What a warm lane does while nothing is asked of it, in a thread."""

    project: Retrained
    encoders: Encoders
    stop: threading.Event = field(default_factory=threading.Event)
    models: list[str] = field(default_factory=list)

    def run(self) -> None:
        while not self.stop.wait(0.02):
            self.encoders.hear(self.project.config)


@contextmanager
def lane(project: Retrained) -> Iterator[Lane]:
    loaded: list[str] = []

    def load(model: str, *, root: Path, batch_size: int = 32) -> Any:
        loaded.append(model)
        return project.load(model, root=root)

    made = Lane(project, Encoders(load), models=loaded)
    made.encoders.warm(project.config)
    thread = threading.Thread(target=made.run)
    with reading(project.config.store_uri):
        thread.start()
        try:
            yield made
        finally:
            made.stop.set()
            thread.join()


def test_process_that_serves_has_loaded_the_model_before_readers_are_switched(
    project: Retrained,
) -> None:
    project.patience = 60
    with lane(project) as made:
        promoted = project.promote()
        assert promoted.filled is not None
        assert promoted.filled.loaded_by.startswith("process ")
        assert promoted.attention == ()
        before = list(made.models)
        made.encoders(project.last.model, root=project.root)
        assert made.models == before
        assert before[-1] == project.last.model
    assert readers(project.config.store_uri) == []


def test_process_that_serves_and_cannot_load_the_model_keeps_readers_where_they_are(
    project: Retrained,
) -> None:
    project.patience = 60
    with lane(project) as made:
        made.encoders.load = _cannot
        with pytest.raises(FillFailed, match="cannot load"):
            project.promote()
    assert project.kinds == ["refresh"]


def _cannot(model: str, *, root: Path, batch_size: int = 32) -> Any:
    raise OSError


def test_process_that_does_not_hear_is_not_waited_for_long_and_is_told_of(
    project: Retrained,
) -> None:
    with reading(project.config.store_uri):
        promoted = project.promote()
    assert promoted.promoted
    assert promoted.filled is not None
    assert promoted.filled.loaded_by == "a fresh process"
    assert "did not load" in promoted.attention[0]
