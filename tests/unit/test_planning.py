"""What a plan decides, case by case."""

from pipelines.config import FilesSource, SourceRule
from pipelines.planning import (
    Found,
    Kind,
    Policy,
    Published,
    Remembered,
    Scanned,
    World,
    cost_holds,
    hold,
    plan_changes,
    source_rules,
)
from pipelines.planning.access import granted, narrowed, shows_beyond
from pipelines.planning.holds import unusual
from pipelines.records import Entry, Failure, FrontMatter

SETTINGS = FilesSource(
    name="docs",
    path="docs",
    domain="general",
    labels=("hr", "managers"),
    front_matter_domains=("it",),
    rules=(SourceRule(match="open/**", labels=("public",), train=False),),
)
RULES = source_rules(SETTINGS)
GRANT = Policy("general", ("hr", "managers"), True)


def found(path: str, content_hash: str, front_matter: FrontMatter | Failure | None = None) -> Found:
    return Found(f"docs/{path}", "docs", Entry(path, content_hash), content_hash, front_matter)


def published(path: str, content_hash: str, **changed: object) -> Published:
    asked = changed.pop("asked", None)
    policy = changed.pop("policy", GRANT)
    recipe = changed.pop("recipe", "1")
    assert isinstance(policy, Policy)
    assert asked is None or isinstance(asked, FrontMatter)
    return Published(f"docs/{path}", "docs", content_hash, str(recipe), policy, asked, "", 0.0)


def world(
    has: list[Found], shown: list[Published], *, complete: bool = True, **more: object
) -> World:
    scan = Scanned("docs", complete, {f.uri: f for f in has})
    known: dict[str, object] = {"sources": {"docs": RULES}, "recipe": "1"}
    return World(scanned={"docs": scan}, published={p.uri: p for p in shown}, **{**known, **more})  # type: ignore[arg-type]


def kinds(plan_world: World) -> dict[str, str]:
    return {c.uri: c.kind.value for c in plan_changes(plan_world).changes}


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
