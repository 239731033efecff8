"""What waits for a review or after an audit, and what goes on beside it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from pipelines.config import FilesSource
from pipelines.planning import (
    Change,
    Found,
    Hold,
    Kind,
    Plan,
    Policy,
    Rules,
    Scanned,
    World,
    held_back,
    hold,
    items_of,
    may_wait,
    plan_changes,
    review_holds,
    source_rules,
    standing_audit_holds,
)
from pipelines.records import Entry, FrontMatter
from tests.plans import GRANT, TODAY, domain, found, published, rules, world

REVIEW = rules(domain(review=True))
NONE: frozenset[tuple[str, str]] = frozenset()


def changed(seen: World) -> tuple[Plan, dict[str, Change]]:
    plan = plan_changes(seen)
    return plan, {c.uri: c for c in plan.changes}


def everything() -> World:
    """A document of every kind of change, and two that stay as they are."""
    shown = [published(name, name) for name in ("a.md", "b.md", "c.md", "d.md", "same.md")]
    shown.append(published("e.md", "e.md", policy=Policy("general", ("hr",), True)))
    has = [found("a.md", "2"), found("moved.md", "b.md"), found("new.md", "3")]
    has += [found("d.md", "d.md"), found("same.md", "same.md"), found("e.md", "e.md")]
    return world(has, shown)


def test_every_kind_of_change_is_there() -> None:
    _, by_uri = changed(everything())
    assert {c.kind for c in by_uri.values()} == set(Kind)


def test_items_are_uris_with_the_hash_they_would_get_and_both_uris_of_a_move() -> None:
    plan, _ = changed(everything())
    assert items_of(plan.changes) == {
        ("docs/a.md", "2"),
        ("docs/moved.md", "b.md"),
        ("docs/b.md", ""),
        ("docs/new.md", "3"),
        ("docs/c.md", ""),
        ("docs/e.md", "e.md"),
    }


def test_policy_and_what_was_accepted_do_not_wait() -> None:
    _, by_uri = changed(everything())
    assert not may_wait(by_uri["docs/e.md"], NONE)
    assert may_wait(by_uri["docs/a.md"], NONE)
    assert not may_wait(by_uri["docs/a.md"], {("docs/a.md", "2")})
    assert may_wait(by_uri["docs/a.md"], {("docs/a.md", "3")}), "exactly what was accepted"


def test_changes_in_a_domain_under_review_wait_but_policy_does_not() -> None:
    plan, _ = changed(everything())
    ((review, waiting),) = review_holds(plan.changes, rules=REVIEW, accepted=NONE).items()
    assert (review.kind, review.source, review.suites) == ("review", "docs", None)
    assert review.why == "4 changes to be reviewed (domain general)"
    assert {c.uri for c in waiting} == {"docs/a.md", "docs/moved.md", "docs/new.md", "docs/c.md"}
    assert frozenset(review.items) == items_of(waiting)
    assert review_holds(plan.changes, rules=rules(), accepted=NONE) == {}


def test_what_a_person_accepted_is_not_reviewed_again() -> None:
    plan, _ = changed(everything())
    everything_else = items_of(plan.changes) - {("docs/new.md", "3")}
    ((_, waiting),) = review_holds(plan.changes, rules=REVIEW, accepted=everything_else).items()
    assert [c.uri for c in waiting] == ["docs/new.md"]


def test_leaving_a_domain_under_review_waits_too() -> None:
    here = rules(domain("law", review=True))
    into = world([found("law/a.md", "1")], [published("a.md", "1")], sources=here)
    law = replace(GRANT, domain="law")
    out_of = world([found("a.md", "1")], [published("law/a.md", "1", policy=law)], sources=here)
    for seen in (into, out_of):
        plan, _ = changed(seen)
        ((review, _),) = review_holds(plan.changes, rules=here, accepted=NONE).items()
        assert review.why == "1 change to be reviewed (domain general, law)"


def two_sources() -> tuple[Plan, World]:
    """A changed document in each of two sources."""
    more = source_rules(FilesSource(name="more", path="more", domain="law", labels=("hr",)))
    granted = Rules({**rules(), "more": more}, TODAY, {"law": domain("law", review=True)})
    other = Found("more/x.md", "more", Entry("x.md", "9"), "9", None)
    scans = {
        "docs": Scanned("docs", True, {"docs/a.md": found("a.md", "1")}),
        "more": Scanned("more", True, {other.uri: other}),
    }
    seen = World(sources=granted, scanned=scans, published={}, recipe="1")
    return plan_changes(seen), seen


def test_every_source_has_a_hold_of_its_own() -> None:
    plan, seen = two_sources()
    (review,) = review_holds(plan.changes, rules=seen.sources, accepted=NONE)
    assert (review.source, review.items) == ("more", (("more/x.md", "9"),))
    both = replace(seen.sources, domains={n: domain(n, review=True) for n in ("law", "general")})
    assert [h.source for h in review_holds(plan.changes, rules=both, accepted=NONE)] == [
        "docs",
        "more",
    ]


def audited(changes: Iterable[Change], suites: str = "s1") -> dict[str, Hold]:
    """The open hold of a source that failed with these changes."""
    return {"docs": hold("audit", "docs", items_of(changes), "fails", suites=suites)}


def policy_aside(plan: Plan) -> list[Change]:
    return [c for c in plan.changes if c.kind is not Kind.RELABELLED]


def test_source_that_failed_with_exactly_these_changes_stays_held() -> None:
    plan, _ = changed(everything())
    before = audited(policy_aside(plan))
    standing = standing_audit_holds(plan.changes, before, suites="s1", accepted=NONE)
    assert standing == {before["docs"]: tuple(policy_aside(plan))}


def test_other_suites_or_other_changes_are_audited_again() -> None:
    plan, _ = changed(everything())
    before = audited(policy_aside(plan))
    assert standing_audit_holds(plan.changes, before, suites="s2", accepted=NONE) == {}
    for left_out in policy_aside(plan):
        fewer = [c for c in plan.changes if c is not left_out]
        assert standing_audit_holds(fewer, before, suites="s1", accepted=NONE) == {}
    assert standing_audit_holds((), before, suites="s1", accepted=NONE) == {}
    assert standing_audit_holds(plan.changes, {}, suites="s1", accepted=NONE) == {}


def test_accepted_changes_of_a_source_that_failed_are_no_longer_held() -> None:
    plan, _ = changed(everything())
    before = audited(policy_aside(plan))
    accepted = items_of(plan.changes)
    assert standing_audit_holds(plan.changes, before, suites="s1", accepted=accepted) == {}


def test_audit_hold_under_other_suites_is_another_hold() -> None:
    plan, _ = changed(everything())
    one, two = (audited(plan.changes, suites)["docs"] for suites in ("s1", "s2"))
    assert (one.items, one.id == two.id) == (two.items, False)


def test_held_changes_leave_the_plan_and_end_once_each() -> None:
    seen = everything()
    plan, by_uri = changed(seen)
    waiting = [by_uri[f"docs/{name}.md"] for name in ("a", "moved", "c")]
    one = hold("review", "docs", items_of(waiting), "why")
    left = held_back(plan, {one: waiting}, seen)
    assert left.holds == (one,)
    assert {c.uri for c in left.changes} == {"docs/new.md", "docs/e.md"}
    assert (left.unchanged, left.rejected, left.remembered) == (2, (), plan.remembered)
    ends = Counter(c.uri for c in left.changes) + Counter(uri for uri, _ in one.items)
    assert set(ends.values()) == {1}
    assert len(ends) + left.unchanged == len(seen.published) + 2, "and two that are new"


def test_nothing_held_changes_nothing() -> None:
    seen = everything()
    plan, _ = changed(seen)
    assert held_back(plan, {}, seen) == plan


def held(seen: World) -> tuple[Change, ...]:
    """What is left where every change that may wait waits."""
    plan = plan_changes(seen)
    waiting = [c for c in plan.changes if may_wait(c, NONE)]
    return held_back(plan, {hold("audit", "docs", items_of(waiting), ""): waiting}, seen).changes


def test_policy_reaches_the_published_version_of_a_held_change() -> None:
    old = Policy("general", ("hr", "managers", "staff"), True)
    for path, content_hash in (("a.md", "2"), ("b.md", "1")):
        listed, shown = [found(path, content_hash)], [published("a.md", "1", policy=old)]
        (change,) = held(world(listed, shown))
        assert (change.kind, change.uri, change.policy) == (Kind.RELABELLED, "docs/a.md", GRANT)
        assert change.found is None, "its rows stay"


def test_wish_of_a_held_version_narrows_what_stays_and_never_widens_it() -> None:
    wish = FrontMatter(labels=("hr",), train=False)
    (change,) = held(world([found("a.md", "2", wish)], [published("a.md", "1")]))
    assert change.policy == Policy("general", ("hr",), False)
    narrow = published("a.md", "1", asked=wish, policy=Policy("general", ("hr",), False))
    assert held(world([found("a.md", "2", FrontMatter())], [narrow])) == ()


def test_finding_forbids_training_on_what_stays_though_its_change_is_held() -> None:
    old = published("a.md", "1", findings=["secrets"])
    strict = rules(domain(secrets="no-training"))
    (change,) = held(world([found("a.md", "2")], [old], sources=strict))
    assert change.policy == Policy("general", GRANT.labels, False)


def test_what_nobody_may_see_is_not_relabelled_for_being_held() -> None:
    past = FrontMatter(valid_until="2020-01-01")
    old = published("a.md", "1", asked=past, policy=Policy("old", ("hr",), True))
    listed = [found("a.md", "2", past)]
    assert held(world(listed, [old], sources=rules(domain(expired="withhold")))) == ()
    assert held(world(listed, [old])) != ()
