"""What a plan decides, case by case."""

from dataclasses import replace

import pytest

from pipelines.planning import (
    Kind,
    Plan,
    Policy,
    Remembered,
    World,
    cost_holds,
    hold,
    plan_changes,
)
from pipelines.planning.access import granted, narrowed, shows_beyond
from pipelines.planning.holds import unusual
from pipelines.records import Failure, FrontMatter
from tests.plans import GRANT, domain, found, published, rules, world

RULES = rules()["docs"]


def kinds_of(plan: Plan) -> dict[str, str]:
    return {c.uri: c.kind.value for c in plan.changes}


def kinds(plan_world: World) -> dict[str, str]:
    return kinds_of(plan_changes(plan_world))


def test_first_rule_that_matches_wins() -> None:
    assert granted(RULES, "open/a.md") == Policy("general", ("public",), False)
    assert granted(RULES, "a.md") == GRANT


def test_front_matter_cuts_labels_down() -> None:
    assert narrowed(GRANT, FrontMatter(labels=("hr",))) == Policy("general", ("hr",), True)


def test_asking_for_public_asks_for_all_that_is_granted() -> None:
    assert narrowed(GRANT, FrontMatter(labels=("public",))) == GRANT


def test_public_in_the_grant_covers_every_label() -> None:
    grant = Policy("general", ("public",), True)
    assert narrowed(grant, FrontMatter(labels=("board",))) == Policy("general", ("board",), True)


def test_labels_beyond_the_grant_fail_and_withhold() -> None:
    failure = narrowed(GRANT, FrontMatter(labels=("hr", "board")))
    assert isinstance(failure, Failure)
    assert failure.withhold
    assert "board" in failure.observed


def test_train_false_counts_and_train_true_grants_nothing() -> None:
    closed = Policy("general", ("hr",), False)
    assert narrowed(closed, FrontMatter(train=True)) == closed
    open_ = Policy("general", ("hr",), True)
    assert narrowed(open_, FrontMatter(train=False)) == closed


def test_document_may_choose_only_the_domains_it_was_given() -> None:
    chosen = narrowed(GRANT, FrontMatter(domain="it"), own_domains=RULES.own_domains)
    assert isinstance(chosen, Policy)
    assert chosen.domain == "it"
    refused = narrowed(GRANT, FrontMatter(domain="law"), own_domains=RULES.own_domains)
    assert isinstance(refused, Failure)


def test_what_shows_beyond_today() -> None:
    assert shows_beyond(("public",), ("hr",))
    assert shows_beyond(("hr", "managers"), ("hr",))
    assert not shows_beyond(("hr",), ("public",))
    assert not shows_beyond(("hr",), ("hr", "managers"))
    assert shows_beyond(("hr",), ())


def test_broken_listing_deletes_nothing() -> None:
    assert kinds(world([], [published("a.md", "1")], complete=False)) == {}


def test_two_gone_and_one_new_of_the_same_bytes_is_a_move_and_a_deletion() -> None:
    shown = [published("a.md", "1"), published("b.md", "1")] + [
        published(f"{n}.md", str(n)) for n in range(10, 20)
    ]
    has = [found("c.md", "1"), *(found(f"{n}.md", str(n)) for n in range(10, 20))]
    assert sorted(kinds(world(has, shown)).values()) == ["deleted", "moved"]


def test_both_present_is_a_copy() -> None:
    shown = [published("a.md", "1")]
    has = [found("a.md", "1"), found("b.md", "1")]
    assert kinds(world(has, shown)) == {"docs/b.md": "added"}


def test_move_takes_along_what_the_document_asked() -> None:
    asked = FrontMatter(labels=("hr",))
    old = published("a.md", "1", asked=asked, policy=Policy("general", ("hr",), True))
    (change,) = plan_changes(world([found("b.md", "1")], [old])).changes
    assert change.kind is Kind.MOVED
    assert change.policy == Policy("general", ("hr",), True)


def test_lost_cache_does_not_lose_what_a_document_asked() -> None:
    asked = FrontMatter(labels=("hr",))
    old = published("a.md", "1", asked=asked, policy=Policy("general", ("hr",), True))
    plan = plan_changes(world([found("a.md", "2")], [old]))
    assert plan.changes[0].policy == Policy("general", ("hr",), True)


def test_rejected_version_narrows_what_stays_published() -> None:
    old = published("a.md", "1")
    bad = found("a.md", "2", FrontMatter(labels=("hr",)))
    quarantined = {("docs/a.md", "2"): Failure("text_is_utf8", "byte 3")}
    plan = plan_changes(world([bad], [old], quarantined=quarantined))
    assert len(plan.rejected) == 1
    (change,) = plan.changes
    assert (change.kind, change.policy) == (Kind.RELABELLED, Policy("general", ("hr",), True))


def test_rejected_version_never_widens_what_stays_published() -> None:
    asked = FrontMatter(labels=("hr",))
    old = published("a.md", "1", asked=asked, policy=Policy("general", ("hr",), True))
    bad = found("a.md", "2", FrontMatter())
    quarantined = {("docs/a.md", "2"): Failure("text_is_utf8", "byte 3")}
    assert plan_changes(world([bad], [old], quarantined=quarantined)).changes == ()


def test_policy_reaches_documents_of_a_listing_that_broke_off() -> None:
    old = published("a.md", "1", policy=Policy("old", ("hr", "managers"), True))
    remembered = {"docs/a.md": Remembered("1", None)}
    assert kinds(world([], [old], complete=False, remembered=remembered)) == {
        "docs/a.md": "relabelled"
    }


def test_finding_that_a_domain_forbids_since_reaches_what_is_unchanged() -> None:
    old = published("a.md", "1", findings=["secrets"])
    strict = rules(domain(secrets="no-training"))
    (change,) = plan_changes(world([found("a.md", "1")], [old], sources=strict)).changes
    assert (change.kind, change.reason) == (Kind.RELABELLED, "train true -> false")
    closed = Policy("general", GRANT.labels, False)
    old = published("a.md", "1", findings=["secrets"], policy=closed)
    assert plan_changes(world([found("a.md", "1")], [old], sources=strict)).changes == ()
    (change,) = plan_changes(world([found("a.md", "1")], [old])).changes
    assert change.policy == GRANT, "allowed again"


def test_finding_goes_along_with_a_move_and_not_with_other_bytes() -> None:
    strict = rules(domain(secrets="no-training"))
    closed = Policy("general", GRANT.labels, False)
    old = published("a.md", "1", findings=["secrets"], policy=closed)
    (moved,) = plan_changes(world([found("b.md", "1")], [old], sources=strict)).changes
    assert (moved.kind, moved.policy) == (Kind.MOVED, closed)
    (changed,) = plan_changes(world([found("a.md", "2")], [old], sources=strict)).changes
    assert changed.policy == GRANT, "what its new text holds is found out when it is read"


@pytest.mark.parametrize("complete", [True, False])
def test_finding_reaches_what_stays_as_it_is(complete: bool) -> None:
    old = published("a.md", "1", findings=["personal_data"])
    failed = {("docs/a.md", "2"): Failure("has_text", "0")}
    strict = rules(domain(personal_data="no-training"))
    shown = [found("a.md", "2")] if complete else []
    seen = world(shown, [old], complete=complete, sources=strict, quarantined=failed)
    (change,) = plan_changes(seen).changes
    assert (change.kind, change.policy) == (
        Kind.RELABELLED,
        Policy("general", GRANT.labels, False),
    )


FAILED = Failure("has_no_secrets", "AWS")


def test_released_version_is_published_in_spite_of_its_failure() -> None:
    key = ("docs/a.md", "1")
    failed = {key: FAILED, ("docs/a.md", "2"): FAILED}
    let_out = frozenset({key})
    plan = plan_changes(world([found("a.md", "1")], [], quarantined=failed, released=let_out))
    assert [(c.kind, c.key) for c in plan.changes] == [(Kind.ADDED, key)]
    assert plan.rejected == ()
    plan = plan_changes(world([found("a.md", "2")], [], quarantined=failed, released=let_out))
    assert (plan.changes, len(plan.rejected)) == ((), 1), "exactly the version that was let out"
    plan = plan_changes(world([found("b.md", "1")], [], quarantined=failed, released=let_out))
    assert kinds_of(plan) == {"docs/b.md": "added"}, "a failure is of a uri"


@pytest.mark.parametrize(
    "asked",
    [Failure("front_matter_is_yaml", "line 2", withhold=True), FrontMatter(labels=("board",))],
)
def test_release_lets_nothing_out_that_asks_for_more_or_nobody_knows_for_what(
    asked: Failure | FrontMatter,
) -> None:
    let_out = frozenset({("docs/a.md", "1")})
    plan = plan_changes(world([found("a.md", "1", asked)], [], released=let_out))
    assert (plan.changes, len(plan.rejected)) == ((), 1)


def test_released_version_replaces_the_published_one() -> None:
    old, key = published("a.md", "1"), ("docs/a.md", "2")
    seen = world([found("a.md", "2")], [old], quarantined={key: FAILED})
    assert kinds(seen) == {}
    assert kinds(replace(seen, released=frozenset({key}))) == {"docs/a.md": "changed"}


def test_unusual_deletions() -> None:
    assert unusual(gone=10, recent=0, published=30, listed=20) is None
    assert unusual(gone=11, recent=0, published=30, listed=19)
    assert unusual(gone=6, recent=5, published=30, listed=24)
    assert unusual(gone=20, recent=0, published=200, listed=180) is None
    assert unusual(gone=41, recent=0, published=200, listed=159)
    assert unusual(gone=3, recent=0, published=5, listed=2)
    assert unusual(gone=2, recent=0, published=5, listed=3) is None
    assert unusual(gone=1, recent=0, published=1, listed=0)
    assert unusual(gone=0, recent=50, published=1, listed=1) is None


def test_a_hold_is_its_set() -> None:
    one = hold("deletions", "docs", [("b", ""), ("a", "")], "why")
    assert one.id == hold("deletions", "docs", [("a", ""), ("b", "")], "another why").id
    assert one.id != hold("deletions", "docs", [("a", "")], "why").id
    assert one.id != hold("cost", "docs", [("a", ""), ("b", "")], "why").id


def test_cost_hold_takes_everything_that_needs_embedding_and_nothing_else() -> None:
    plan = plan_changes(world([found("a.md", "1"), found("b.md", "2")], []))
    tokens = {"docs/a.md": 30, "docs/b.md": 0}
    assert cost_holds(plan.changes, tokens, limit=30, accepted=set()) == ()
    (dear,) = cost_holds(plan.changes, tokens, limit=29, accepted=set())
    assert dear.items == (("docs/a.md", "1"),)
    assert cost_holds(plan.changes, tokens, limit=29, accepted={("docs/a.md", "1")}) == ()
