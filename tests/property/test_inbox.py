"""The inbox loses no wish: not between runs that look at the same time, not between writers."""

import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipelines.inbox import Delivery, Inbox, Wish

SOURCES = ("docs", "wiki", "logs")
MOST = 6
START = datetime(2026, 3, 1, tzinfo=UTC)

some_sources = st.lists(st.sampled_from(SOURCES), min_size=1, max_size=3, unique=True)
ids = st.sampled_from([f"id-{n}" for n in range(8)])
places = st.integers(min_value=0, max_value=2)


class Inboxes(RuleBasedStateMachine):
    """Beside the inbox: every wish since the last look that began after it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.inbox = Inbox(Path(self.folder.name) / "inbox.sqlite")
        self.now = START
        self.open: list[tuple[str, datetime, int]] = []
        """Source, time and deliveries (0 or 1) of each wish that nobody has looked at."""
        self.delivered: set[tuple[str, str]] = set()
        self.looks: dict[
            int, tuple[dict[str, Wish], datetime, list[tuple[str, datetime, int]]]
        ] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    def later(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    @rule(sources=some_sources)
    def somebody_asks(self, sources: list[str]) -> None:
        self.inbox.ask(sources, actor="somebody", now=self.later())
        self.open += [(source, self.now, 0) for source in sources]

    @rule(endpoint=st.sampled_from(["a", "b"]), id=ids, sources=st.just([]) | some_sources)
    def delivery_comes(self, endpoint: str, id: str, sources: list[str]) -> None:
        waits = sum(wish.deliveries for wish in self.inbox.waiting().values())
        delivery = Delivery(endpoint, id, tuple(sources))
        before = self.inbox.waiting()
        taken = self.inbox.take(delivery, most=MOST, now=self.later())
        known = (endpoint, id) in self.delivered
        full = bool(sources) and waits + len(sources) > MOST
        assert taken == ("known" if known else "full" if full else "accepted")
        if taken == "accepted":
            self.delivered.add((endpoint, id))
            self.open += [(source, self.now, 1) for source in sources]
            assert self.inbox.sequence_of(endpoint, id) is not None
        else:
            assert self.inbox.waiting() == before

    @rule(place=places)
    def run_takes_note(self, place: int) -> None:
        taken_at = self.later()
        self.looks[place] = (self.inbox.waiting(), taken_at, list(self.open))

    @precondition(lambda self: self.looks)
    @rule(data=st.data())
    def run_has_looked(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(sorted(self.looks)))
        noted, taken_at, seen = self.looks.pop(place)
        unlisted = data.draw(st.sampled_from([None, None, *SOURCES]))
        over = {source: wish for source, wish in noted.items() if source != unlisted}
        self.inbox.settle(over, run=f"run-{place}", taken_at=taken_at, now=self.later())
        self.open = [wish for wish in self.open if not (wish in seen and wish[0] in over)]
        for source, wish in over.items():
            assert self.inbox.settled()[source].sequence >= wish.sequence

    @invariant()
    def what_nobody_has_looked_at_waits(self) -> None:
        waiting = self.inbox.waiting()
        assert set(waiting) == {source for source, _, _ in self.open}
        for source, wish in waiting.items():
            times = [at for name, at, _ in self.open if name == source]
            # Never later than the oldest that waits: an alarm must not come late.
            assert wish.since <= min(times)

    @invariant()
    def no_more_wait_than_may(self) -> None:
        counts = [wish.deliveries for wish in self.inbox.waiting().values()]
        assert sum(counts) <= MOST
        assert all(count >= 0 for count in counts)


Inboxes.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestInboxes = Inboxes.TestCase


def test_eight_writers_lose_nothing_and_wait_for_each_other(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "store" / "inbox.sqlite")

    def deliver(n: int) -> str:
        delivery = Delivery("push", f"id-{n}", (SOURCES[n % 3],))
        return inbox.take(delivery, most=1000, now=datetime.now(UTC))

    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(pool.map(deliver, range(200)))
    assert outcomes == {"accepted": 200}
    assert sum(wish.deliveries for wish in inbox.waiting().values()) == 200
    sequences = {inbox.sequence_of("push", f"id-{n}") for n in range(200)}
    assert sequences == set(range(1, 201))


def test_what_a_reader_looks_at_is_never_half_made(tmp_path: Path) -> None:
    # The file is there a moment before its tables are.
    inbox = Inbox(tmp_path / "inbox.sqlite")
    sqlite3.connect(inbox.path).close()
    inbox.path.touch()
    assert inbox.waiting() == {}
    assert inbox.settled() == {}
    assert inbox.sequence_of("push", "one") is None
