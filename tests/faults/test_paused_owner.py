"""Two owners of one store: whoever was paused and wakes up neither wins nor leaves a trace."""

import itertools
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from pipelines.config import load_config
from pipelines.decide import roll_back, unpin, withhold
from pipelines.knowledge import Signed, newest, publications
from tests.faults.test_kills import in_pairs
from tests.faults.world import Case, View, World

pytestmark = pytest.mark.usefixtures("small_batches")

LOST = ("Overtaken", "RefreshRunning")


def later(value: str) -> ParameterSet:
    """One more case of the same, which only the whole suite runs."""
    return pytest.param(value, marks=pytest.mark.slow)


def signed(case: Case) -> Signed:
    return Signed(case.run_name(), "somebody", case.now)


@pytest.fixture(scope="module")
def after(world: World, small_batches: None) -> View:
    case = world.case("after alone")
    case.refresh("after")
    return case.view()


@pytest.fixture(scope="module")
def other(world: World, small_batches: None) -> View:
    case = world.case("other alone")
    case.refresh("other")
    return case.view()


@pytest.fixture
def case(world: World, request: pytest.FixtureRequest) -> Case:
    return world.case(request.node.name.replace("/", " "))


@pytest.mark.parametrize("at", [later("chunks.restore#1:after"), "chunks.add#1:after"])
def test_owner_paused_after_a_commit_is_overtaken(case: Case, other: View, at: str) -> None:
    with case.stopped("after", at) as owner:
        case.free_the_lock()
        assert case.refresh("other").published
        said = owner.resume()
    assert said is not None
    assert said["error"] == "Overtaken"
    assert case.view().rows == other.rows
    assert "edited 0 part 3" not in repr(case.store.table(newest_generation(case)).to_arrow())
    assert case.left_behind() + case.problems("other") == []


def newest_generation(case: Case) -> str:
    last = newest(case.store)
    assert last is not None
    return last.generation


@pytest.mark.slow
def test_owner_whose_fence_was_cleaned_away_is_overtaken(case: Case, other: View) -> None:
    """Without the fence's own commit only the count of versions tells."""
    with case.stopped("after", "compact_files#1:before") as owner:
        case.free_the_lock()
        assert case.refresh("other").published
        assert case.left_behind() == []
        said = owner.resume()
    assert said is not None
    assert said["error"] == "Overtaken"
    assert case.view().rows == other.rows
    assert case.problems("other") == []


@pytest.mark.slow
def test_owner_whose_fence_is_gone_does_not_go_on_with_anothers_half_state(
    case: Case, after: View, other: View
) -> None:
    """Nothing refuses its write; only the count of versions tells that others were there."""
    with case.stopped("after", "chunks.add#2:before") as owner:
        case.free_the_lock()
        with case.stopped("other", "chunks.delete#1:after") as second:
            case.tidy_without_the_lock()
            said, late = owner.resume(), second.resume()
    assert said is not None
    assert late is not None
    assert (said["error"], late["published"]) == ("Overtaken", True)
    assert case.view().rows == other.rows
    case.refresh("after")
    assert case.view().equals(after)
    assert case.left_behind() + case.problems("after") == []


@pytest.mark.slow
def test_owner_paused_before_its_row_does_not_win_against_a_tidied_ledger(
    case: Case, other: View
) -> None:
    """Its handle of the ledger is older than all that is left of the winner's commit."""
    with case.stopped("after", "append#3:before") as owner:
        case.free_the_lock()
        assert case.refresh("other").published
        assert case.left_behind(thorough=True) == []
        said = owner.resume()
    assert said is not None
    assert said["error"] == "Overtaken"
    assert case.view().rows == other.rows
    assert case.problems("other") == []


def test_owner_paused_before_its_tag_publishes_no_half_state(
    case: Case, after: View, other: View
) -> None:
    """The other one stands between a delete and its add: the newest version is nobody's."""
    with case.stopped("after", "tags.create#1:before") as owner:
        case.free_the_lock()
        with case.stopped("other", "chunks.delete#1:after") as second:
            said = owner.resume()
            assert said is not None
            assert said["published"]
            assert case.view().equals(after)
            late = second.resume()
    assert late is not None
    assert late["error"] == "Overtaken"
    assert case.view().equals(after)
    case.refresh("other")
    assert case.view().equals(other)
    assert case.left_behind() + case.problems("other") == []


@pytest.mark.parametrize("at", [later("chunks.delete#4:after"), later("compact_files#1:before")])
def test_owner_paused_before_its_compaction_does_not_compact_a_half_state(
    case: Case, other: View, at: str
) -> None:
    with case.stopped("after", at) as owner:
        case.free_the_lock()
        with case.stopped("other", "chunks.delete#1:after") as second:
            said = owner.resume()
            late = second.resume()
    assert said is not None
    assert late is not None
    assert (said["error"], late["published"]) == ("Overtaken", True)
    assert case.view().rows == other.rows
    assert case.left_behind() + case.problems("other") == []


@pytest.mark.parametrize("at", [later("chunks.add#1:after"), later("chunks.add#2:before")])
def test_paused_first_owner_does_not_publish_a_dropped_table(world: World, at: str) -> None:
    case, alone = (world.case(f"{name} {at}", base=False) for name in ("two firsts", "one first"))
    alone.refresh("after")
    with case.stopped("other", at) as owner:
        case.free_the_lock()
        assert case.refresh("after").published
        said = owner.resume()
    assert said is not None
    assert said["error"] == "Overtaken"
    assert case.view().equals(alone.view())
    assert case.left_behind() + case.problems("after") == []


def test_of_two_refreshes_at_once_one_publishes(case: Case, after: View) -> None:
    with case.start("after") as first, case.start("after") as second:
        first.go()
        second.go()
        said = [first.wait(), second.wait()]
    published = [s for s in said if s and s["published"]]
    others = [s for s in said if s and not s["published"]]
    assert (len(published), len(others)) == (1, 1)
    assert others[0]["error"] in LOST or others[0]["reason"] == "nothing changed"
    assert case.view().equals(after)
    assert case.left_behind() + case.problems("after") == []


@pytest.mark.parametrize("at", [later("chunks.add#2:after"), "append#3:before"])
def test_rollback_in_the_middle_of_a_refresh_stays(case: Case, at: str) -> None:
    config = load_config(case.config("after"), env={})
    earlier = publications(case.store)[-1]
    with case.stopped("after", at) as owner:
        roll_back(config, signed=signed(case))
        rolled = case.view()
        said = owner.resume()
    assert said is not None
    assert said["error"] == "Overtaken"
    assert (case.view(), case.view().state) == (rolled, earlier.state)
    assert case.refresh("after").reason == "pinned"
    assert case.view().rows == rolled.rows
    unpin(config, signed=signed(case))
    assert case.refresh("after").published
    assert case.left_behind() + case.problems("after") == []


@pytest.mark.parametrize("at", [later("chunks.add#2:after"), "append#3:before"])
@pytest.mark.parametrize("uri", [later("docs/kept.md"), "docs/old-name.md"])
def test_withhold_in_the_middle_of_a_refresh_lets_it_publish(
    case: Case, after: View, at: str, uri: str
) -> None:
    hidden = {"docs/old-name.md": "docs/new/name.md"}.get(uri, uri)
    config = load_config(case.config("after"), env={})
    with case.stopped("after", at) as owner:
        assert not withhold(config, uri, reason="a mistake", signed=signed(case)).seen
        said = owner.resume()
    assert said is not None
    assert said["published"]
    assert hidden in case.view().withheld
    assert case.view().rows == tuple(row for row in after.rows if row[0] != hidden)
    case.refresh("after")
    assert hidden in case.view().withheld
    assert case.left_behind() + case.problems("after") == []


@pytest.mark.slow
def test_two_half_way_owners_leave_whole_states(world: World, after: View) -> None:
    """One stopped after every third write from the fence on, the other at three places."""
    writes = names_of_writes(world)
    first = writes.index("chunks.restore") + 1
    last = len(writes) - writes[::-1].index("append")
    places = ("chunks.restore#1:after", "chunks.delete#1:after", "append#2:before")
    cases = list(itertools.product(range(first, last + 1, 3), places))
    assert in_pairs(lambda pair: two_owners(world, after, *pair), cases) == []


def names_of_writes(world: World) -> list[str]:
    said = world.case("writes").run_child("after")
    assert said is not None
    return list(said["writes"])


def two_owners(world: World, after: View, number: int, place: str) -> list[str]:
    case = world.case(f"pair {number} {place}")
    before, wrong = case.view(), []
    with case.stopped("after", f"{number}:after") as one:
        (Path(case.uri) / "refresh.lock").unlink(missing_ok=True)
        with case.start("after", f"{place}:SIGSTOP") as two:
            two.go()
            one.resume()
            two.wake_until_gone()
            two.wait()
    seen = case.view()
    if not (seen.equals(after) or seen.is_rest_of(before)):
        wrong.append("readers see something else")
    case.refresh("after")
    wrong += [] if case.view().equals(after) else ["the next run ends elsewhere"]
    return [
        f"{number}, {place}: {problem}"
        for problem in wrong + case.left_behind() + case.problems("after")
    ]
