"""What the store promises while others write to it, and however long it is used."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.config import Config
from pipelines.decide import decide, roll_back
from pipelines.errors import Overtaken, PublicationNotFound
from pipelines.knowledge import (
    Query,
    QueryLog,
    Scan,
    Store,
    clean_up,
    data_as_of,
    directly,
    find_store,
    forget_mended,
    freshness,
    holds,
    last_complete,
    newest,
    open_store,
    protecting,
    publications,
    put_in_quarantine,
    quarantine,
    record_holds,
    record_scans,
    scans_of,
    spill,
    spilled,
    tag,
)
from pipelines.knowledge.scans import prune_scans
from pipelines.knowledge.side import FRAGMENTS
from pipelines.planning import Found, Hold, Rejected
from pipelines.records import Entry, Failure
from pipelines.refresh import Ports, Report, refresh_knowledge
from pipelines.verify import verify_knowledge
from tests.faults.runner import name_of
from tests.project import Project

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Meanwhile:
    """A writer that lets somebody else act right before or right after a chosen write."""

    when: str
    """E.g. ``tags.delete``."""
    act: Callable[[], Any]
    after: bool = False
    matches: Callable[[tuple[Any, ...]], bool] = lambda args: True
    acted: list[Any] = field(default_factory=list)

    def __call__(self, verb: Callable[..., Any], *args: Any, **options: Any) -> Any:
        here = not self.acted and name_of(verb) == self.when and self.matches(args)
        if here and not self.after:
            self.acted.append(self.act())
        result = verb(*args, **options)
        if here and self.after:
            self.acted.append(self.act())
        return result


class Died(Exception):
    """A process that ends here."""


def die(*_: object) -> None:
    raise Died


def refresh(project: Project, write: Callable[..., Any] = directly) -> Report:
    project.later()
    return refresh_knowledge(
        project.config,
        now=project.now,
        run_id=f"run-{next(project.runs)}",
        ports=Ports(project.ports().load_encoder, write),
    )


def tidy(project: Project, write: Callable[..., Any] = directly, **later: float) -> None:
    store = find_store(project.config.store_uri, write=write)
    assert store is not None
    clean_up(
        store,
        now=datetime.now(UTC) + timedelta(**(later or {"minutes": 55})),
        keep_publications=2,
        keep_days=0,
        longest_read=timedelta(0),
    )


def tags(project: Project) -> set[str]:
    last = newest(project.store)
    assert last is not None
    return set(project.store.table(last.generation).tags.list())


def back_to_first(project: Project) -> Callable[[], object]:
    return lambda: roll_back(project.config, signed=project.signed(), to=1)


def problems(project: Project) -> list[str]:
    found = verify_knowledge(
        project.config, now=project.now, run_id="verify", load_encoder=project.ports().load_encoder
    )
    return [f"{p.kind} {p.detail}" for p in found.problems]


@pytest.fixture
def old(project: Project) -> Project:
    """Three publications, of which the next clean-up will take the first away."""
    project.configure(knowledge='keep_publications = 5\nkeep_days = 0\nlongest_read = "1s"')
    for said in ("one", "two", "three"):
        project.write("a.md", f"# A\n\nIt says {said}.\n")
        assert project.refresh().published
    assert "pub-run-1" in tags(project)
    time.sleep(0.05)
    return project


def stands(project: Project) -> bool:
    """Whether readers see the first publication, now and after more clean-ups."""
    said = [hit.text for hit in project.search("anything").hits]
    tidy(project)
    again = [hit.text for hit in project.search("anything").hits]
    kept = not any(name.startswith("read-") for name in tags(project))
    return kept and said == again and "one" in said[0] and problems(project) == []


def test_state_rolled_back_to_before_its_tag_goes_is_tagged_again(old: Project) -> None:
    first = Meanwhile("tags.delete", back_to_first(old), matches=lambda a: a == ("pub-run-1",))
    tidy(old, first)
    assert first.acted
    assert stands(old)
    assert old.refresh().reason == "pinned"


def test_refresh_whose_clean_up_meets_a_rollback_leaves_a_store_that_works(old: Project) -> None:
    old.configure(knowledge='keep_publications = 2\nkeep_days = 0\nlongest_read = "1s"')
    old.later(days=2)
    time.sleep(1.2)
    old.write("a.md", "# A\n\nIt says four.\n")
    first = Meanwhile("tags.delete", back_to_first(old), matches=lambda a: a == ("pub-run-1",))
    assert refresh(old, first).published
    assert first.acted
    assert stands(old)
    assert old.refresh().reason == "pinned"


def test_rollback_after_the_tag_went_is_refused_and_leaves_nothing(old: Project) -> None:
    def refused() -> None:
        with pytest.raises(PublicationNotFound, match="files of #1 are gone"):
            back_to_first(old)()

    first = Meanwhile("tags.delete", refused, after=True, matches=lambda a: a == ("pub-run-1",))
    tidy(old, first)
    assert first.acted
    assert [p.kind for p in publications(old.store)] == ["refresh"] * 3
    assert not any(name.startswith("read-") for name in tags(old))
    assert problems(old) == []


@pytest.mark.parametrize(
    ("when", "after"),
    [
        pytest.param("tags.create", False, id="before it is protected"),
        pytest.param("tags.create", True, id="when it is protected"),
        pytest.param("append", False, id="before its row"),
        pytest.param("append", True, id="after its row"),
    ],
)
def test_clean_up_in_the_middle_of_a_rollback_takes_nothing_that_is_named(
    old: Project, when: str, after: bool
) -> None:
    """A whole clean-up at each step: the rollback is refused, or its state is there to stay."""
    write = Meanwhile(when, lambda: tidy(old), after=after)
    refused = rollback_through(old, write)
    assert write.acted
    assert refused == (when == "tags.create")
    assert refused or stands(old)
    assert problems(old) == []
    assert not any(name.startswith("read-") for name in tags(old))


def rollback_through(project: Project, write: Callable[..., Any]) -> bool:
    """Rolls back to the first publication; True where it was refused."""
    try:
        roll_back(project.config, signed=project.signed(), to=1, write=write)
    except PublicationNotFound:
        return True
    return False


def test_rollback_at_the_last_moment_before_files_go_is_refused(old: Project) -> None:
    """All that a rollback could see at this point, the tags and the files, is about to go."""
    write = Meanwhile("cleanup_old_versions", lambda: rollback_through(old, directly))
    tidy(old, write)
    assert write.acted == [True]
    assert problems(old) == []


@pytest.mark.parametrize("killed", [False, True])
def test_clean_up_that_took_all_tags_of_a_rollback_is_made_good(old: Project, killed: bool) -> None:
    """It read the ledger before, and the tags after: by itself, or killed, by the next one."""

    def rest_goes() -> None:
        table = old.store.table(publications(old.store)[0].generation)
        for name in tags(old) - {"pub-run-2", "pub-run-3"}:
            table.tags.delete(name)
        assert tags(old) == {"pub-run-2", "pub-run-3"}
        if killed:
            raise Died

    def back_before_it_goes() -> None:
        back_to_first(old)()
        first.act, first.after = rest_goes, True

    first = Meanwhile("tags.delete", back_before_it_goes, matches=lambda a: a == ("pub-run-1",))
    with pytest.raises(Died) if killed else contextlib.nullcontext():
        tidy(old, first)
    assert stands(old)


def test_read_tags_of_the_dead_go_and_those_of_the_living_stay(old: Project) -> None:
    state = publications(old.store)[-1].state
    now = datetime.now(UTC)
    with protecting(old.store, run="slow", at=now - timedelta(minutes=50)) as protect:
        assert protect(state)
        tag(old.store, f"read-{now - 2 * HOUR:%Y%m%dT%H%M%SZ}-dead", state)
        tidy(old, seconds=1)
        assert {name.rpartition("-")[2] for name in tags(old) if name[:5] == "read-"} == {"slow"}
        assert old.store.at(*state).count_rows() == 1


def test_first_refresh_spares_the_table_of_another_one(project: Project) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")

    def another() -> None:
        (Path(project.config.store_uri) / "refresh.lock").unlink()
        with pytest.raises(Died):
            refresh(project, Meanwhile("chunks.add", die))

    first = Meanwhile("append", another)
    assert refresh(project, first).published
    assert first.acted
    assert project.seen() == {"docs/a.md"}
    assert len([n for n in project.store.names() if n.startswith("chunks_")]) == 2
    tidy(project)
    assert len([n for n in project.store.names() if n.startswith("chunks_")]) == 1


def test_run_whose_table_was_cleaned_away_publishes_nothing(project: Project) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")
    late = Meanwhile("tags.create", lambda: tidy(project), after=True)
    with pytest.raises(Overtaken, match="cleaned away"):
        refresh(project, late)
    assert publications(project.store) == []
    assert project.refresh().published
    assert project.seen() == {"docs/a.md"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"), now=START)


def scan(run: int, at: datetime | None = None, **said: Any) -> Scan:
    settings: dict[str, Any] = {"complete": True, "error": None, "waiting": {}} | said
    return Scan(
        source="docs",
        run=f"r{run}",
        started_at=at or START + run * HOUR,
        seconds=1.0,
        listed=1,
        source_version=None,
        **settings,
    )


def waits(at: datetime) -> dict[str, tuple[str, str]]:
    return {"docs/a.md": ("hash", at.isoformat())}


def test_history_is_read_without_what_waited_then(store: Store) -> None:
    since = START + 2 * HOUR
    record_scans(store, [scan(0), scan(1), scan(2, waiting=waits(since))])
    record_scans(store, [scan(3, waiting=waits(since))])
    record_scans(store, [scan(4, complete=False, error="gone", waiting=waits(START + 4 * HOUR))])
    scans = scans_of(store, "docs")
    assert [s.run for s in scans] == ["r4", "r3", "r2", "r1", "r0"]
    assert [bool(s.waiting) for s in scans] == [True, True, False, False, False]
    assert last_complete(scans) == scan(3, waiting=waits(since))
    assert data_as_of(scans) == START + HOUR
    assert [s.run for s in scans_of(store, "docs", but="r4")] == ["r3", "r2", "r1", "r0"]


def test_last_row_of_a_run_counts(store: Store) -> None:
    record_scans(store, [scan(1, waiting=waits(START))])
    record_scans(store, [scan(1, order=1)])
    assert scans_of(store, "docs") == [scan(1, order=1)]


def test_scan_with_a_clock_far_ahead_hides_no_later_one(store: Store) -> None:
    ahead = START + timedelta(days=3650)
    record_scans(store, [scan(0)])
    record_scans(store, [scan(1, ahead)])
    since = START + 2 * HOUR
    record_scans(store, [scan(2, waiting=waits(since))])
    scans = scans_of(store, "docs")
    assert [s.run for s in scans] == ["r2", "r1", "r0"]
    assert scans[0].waiting
    ages = {"warn_after": HOUR, "error_after": 5 * HOUR}
    assert freshness(scans, now=since + 6 * HOUR, **ages) == "error"
    told = data_as_of(scans)
    assert told is not None
    assert told <= since


def test_change_first_seen_by_a_clock_far_ahead_still_waits(store: Store) -> None:
    ahead = START + timedelta(days=3650)
    record_scans(store, [scan(0)])
    record_scans(store, [scan(1, ahead, waiting=waits(ahead))])
    record_scans(store, [scan(2, waiting=waits(ahead))])
    assert data_as_of(scans_of(store, "docs")) == START


def test_order_of_scans_survives_compactions(store: Store) -> None:
    """Written in an order that no column tells."""
    moments = [START + timedelta(hours=n * 37 % (FRAGMENTS + 30)) for n in range(FRAGMENTS + 30)]
    for run, at in enumerate(moments):
        record_scans(store, [scan(run, at)])
    assert len(store.table("scans").to_lance().get_fragments()) <= FRAGMENTS
    assert [s.started_at for s in scans_of(store, "docs")] == moments[::-1]


def test_scans_of_a_source_that_has_long_been_broken_keep_what_says_how_fresh_it_is(
    store: Store,
) -> None:
    since = START + 3 * HOUR
    record_scans(store, [scan(n) for n in range(3)])
    record_scans(store, [scan(n, waiting=waits(since)) for n in range(3, 6)])
    for run in range(6, 200):
        record_scans(store, [scan(run, complete=False, error="gone")])
    before = scans_of(store, "docs")
    prune_scans(store, keep_days=1, now=START + 400 * HOUR)
    after = scans_of(store, "docs")
    assert [s.run for s in after] == ["r199", "r5", "r4", "r3", "r2", "r1", "r0"]
    assert last_complete(after) == last_complete(before)
    assert data_as_of(after) == data_as_of(before) == START + 2 * HOUR


@pytest.fixture
def reviewed(project: Project) -> Project:
    """A publication, and a candidate that waits for a review."""
    project.configure(knowledge='keep_publications = 2\nkeep_days = 0\nlongest_read = "1s"')
    project.write("a.md", "# A\n\nIt says one.\n")
    project.refresh()
    project.write("a.md", "# A\n\nIt says two.\n")
    assert not project.refresh(publish=False).published
    return project


def decided(project: Project, config: Config, *, accept: bool) -> str:
    review = next(h for h in holds(project.store) if h.kind == "review")
    decide(config, review.id, accept=accept, reason="so", signed=project.signed())
    return review.id


def test_candidate_is_searched_while_its_review_stands(reviewed: Project) -> None:
    found = reviewed.search("two", publication="candidate")
    assert "two" in found.hits[0].text
    name = decided(reviewed, reviewed.config, accept=True)
    assert "two" in reviewed.search("two", publication=name).hits[0].text


def test_candidate_that_was_dropped_answers_nothing_and_its_tag_goes(reviewed: Project) -> None:
    tidy(reviewed)
    assert any(name.startswith("hold-") for name in tags(reviewed))
    name = decided(reviewed, reviewed.config, accept=False)
    for asked in ("candidate", name):
        with pytest.raises(PublicationNotFound):
            reviewed.search("two", publication=asked)
    tidy(reviewed)
    assert not any(tag_name.startswith("hold-") for tag_name in tags(reviewed))


@pytest.mark.parametrize("kind", ["review", "cost"])
def test_spill_stays_while_a_hold_needs_it(project: Project, kind: str) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")
    project.refresh()
    spill(project.store, "f", {"hash": np.ones(4, dtype=np.float32)}, now=START)
    item = frozenset({("docs/b.md", "hash")})
    hold = Hold("h1", kind, "docs", item, "it is so")
    record_holds(project.store, [hold], sources=["docs"], run="r", now=START)
    tidy(project)
    assert spilled(project.store, "f", ["hash"])
    record_holds(project.store, [], sources=["docs"], run="r2", now=START)
    tidy(project)
    assert not spilled(project.store, "f", ["hash"])


def rejected(name: str, content_hash: str) -> Rejected:
    found = Found(f"docs/{name}", "docs", Entry(name, "token"), content_hash, None)
    return Rejected(found, Failure("text_is_utf8", "it is not"), False)


def test_what_was_mended_is_forgotten_in_one_commit(store: Store) -> None:
    failed = [rejected(f"it's {n}.md", content_hash) for n in range(300) for content_hash in "xy"]
    put_in_quarantine(store, failed, excerpts={}, suites="s", run="r", now=START)
    standing = {(r.found.uri, r.found.content_hash) for r in failed[::3]}
    version = store.table("quarantine").version
    forget_mended(store, sources=["docs"], standing=standing)
    assert store.table("quarantine").version == version + 1
    assert {(q.uri, q.content_hash) for q in quarantine(store)} == standing
    forget_mended(store, sources=["wiki"], standing=[])
    assert len(quarantine(store)) == len(standing)


def test_questions_are_compacted_where_nothing_is_published(store: Store) -> None:
    one = Query(at=START, vector=np.ones(4, dtype=np.float32), fingerprint="f")
    for number in range(FRAGMENTS + 20):
        with QueryLog(store) as log:
            log.add(replace(one, publication=number))
    table = store.table("queries")
    assert len(table.to_lance().get_fragments()) <= FRAGMENTS
    assert table.count_rows() == FRAGMENTS + 20
