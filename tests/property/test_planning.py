"""Whatever the sources do, a plan converges, counts each document once and widens nothing."""

from collections import Counter
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import DomainPolicy, FilesSource, SourceRule
from pipelines.planning import (
    Found,
    Kind,
    Plan,
    Published,
    Remembered,
    Rules,
    Scanned,
    World,
    held_back,
    hold,
    is_expired,
    items_of,
    may_wait,
    plan_changes,
    review_holds,
    source_rules,
    standing_audit_holds,
    trainable,
)
from pipelines.records import PUBLIC, Entry, Failure, FrontMatter
from tests.plans import withheld_today

LABELS = ("hr", "managers", PUBLIC)
DAYS = tuple(date(2026, 5, day).isoformat() for day in (1, 10, 20))
NO_ONE_ASKED: frozenset[tuple[str, str]] = frozenset()
names = st.sampled_from([f"{folder}{n}.md" for folder in ("", "x/") for n in range(6)])
hashes = st.sampled_from("12345")
asks = st.one_of(
    st.none(),
    st.just(FrontMatter()),
    st.just(Failure("front_matter_is_yaml", "line 2", withhold=True)),
    st.builds(
        FrontMatter,
        labels=st.one_of(
            st.none(), st.lists(st.sampled_from(LABELS), min_size=1, unique=True).map(tuple)
        ),
        train=st.sampled_from([None, True, False]),
        domain=st.sampled_from([None, None, "law", "own"]),
        valid_until=st.sampled_from([None, *DAYS]),
    ),
)
grants = st.lists(st.sampled_from(LABELS), min_size=1, unique=True).map(tuple)


def policies(name: str) -> st.SearchStrategy[DomainPolicy]:
    return st.builds(
        DomainPolicy,
        name=st.just(name),
        review=st.booleans(),
        expired=st.sampled_from(["attention", "withhold"]),
        secrets=st.sampled_from(["warn", "no-training"]),
    )


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    made = {}
    for name in ("one", "two"):
        made[name] = source_rules(
            FilesSource(
                name=name,
                path=name,
                domain="general",
                labels=draw(grants),
                train=draw(st.booleans()),
                front_matter_domains=("own",),
                rules=(SourceRule(match="x/**", domain="law", labels=draw(grants)),),
            )
        )
    domains = {name: draw(policies(name)) for name in ("general", "law", "own")}
    return Rules(made, date(2026, 5, draw(st.sampled_from([5, 15]))), domains)


@st.composite
def scans(draw: st.DrawFn) -> dict[str, Scanned]:
    made = {}
    for name in ("one", "two"):
        listed = draw(st.dictionaries(names, st.tuples(hashes, asks), max_size=8))
        # The same bytes hold the same front matter.
        found = {
            f"{name}/{path}": Found(
                f"{name}/{path}", name, Entry(path, h), f"{h}{hash(asked) % 97}", asked
            )
            for path, (h, asked) in listed.items()
        }
        made[name] = Scanned(name, draw(st.booleans()), found)
    return made


steps = st.lists(st.tuples(rules(), scans()), min_size=1, max_size=4)


def findings_in(content_hash: str) -> tuple[str, ...]:
    """What an audit finds in some bytes."""
    return ("secrets",) if content_hash[0] in "12" else ()


def carried_out(plan: Plan, before: dict[str, Published], world: World) -> dict[str, Published]:
    """The published state after a plan was applied."""
    after = dict(before)
    for change in plan.changes:
        if change.previous is not None:
            after.pop(change.previous.uri, None)
    for change in plan.changes:
        if change.policy is None:
            continue
        if change.found is not None:
            found = findings_in(change.found.content_hash)
            policy = trainable(change.policy, found, world.sources)
            after[change.uri] = Published(
                change.uri, change.source, change.found.content_hash, world.recipe,
                policy, change.asked, "", 0.0, found,
            )  # fmt: skip
        elif change.previous is not None:
            after[change.uri] = replace(change.previous, policy=change.policy)
    return after


def remembered_after(plan: Plan, before: dict[str, Remembered]) -> dict[str, Remembered]:
    moved = {
        c.uri: Remembered(c.found.content_hash, c.asked) for c in plan.of(Kind.MOVED) if c.found
    }
    return before | plan.remembered | moved


def reviewed(plan: Plan, world: World) -> Plan:
    """The plan without what waits for a review."""
    waiting = review_holds(plan.changes, rules=world.sources, accepted=world.accepted)
    return held_back(plan, waiting, world)


def ends(plan: Plan) -> dict[str, set[str]]:
    """The uris of a plan by what becomes of them; each former uri of a move is told apart."""
    moves = [(c.previous.uri, c.uri) for c in plan.of(Kind.MOVED) if c.previous]
    return {
        "doing": {c.uri for c in plan.changes},
        "unfit": {r.found.uri for r in plan.rejected},
        "held": {uri for hold in plan.holds for uri, _ in hold.items},
        "left": {former for former, uri in moves if former != uri},
    }


def waits(plan: Plan) -> set[tuple[str, str]]:
    """What waits for a person, whatever for: fewer documents may make few deletions unusual."""
    return {item for hold in plan.holds for item in hold.items}


def uris_of(world: World) -> set[str]:
    return {u for s in world.scanned.values() for u in s.found} | set(world.published)


@given(steps, st.booleans())
def test_plan_converges_and_counts_each_document_once(
    steps: list[tuple[Rules, dict[str, Scanned]]], review: bool
) -> None:
    published: dict[str, Published] = {}
    remembered: dict[str, Remembered] = {}
    for granted, looked in steps:
        world = World(
            sources=granted,
            scanned=looked,
            published=published,
            recipe="1",
            remembered=remembered,
        )
        plan = plan_changes(world)
        plan = reviewed(plan, world) if review else plan
        by_end = ends(plan)
        doing = Counter(c.uri for c in plan.changes)
        assert max(doing.values(), default=1) == 1
        assert len(set().union(*by_end.values())) + plan.unchanged == len(uris_of(world))
        published = carried_out(plan, published, world)
        remembered = remembered_after(plan, remembered)
        waiting = {item: h.why for h in plan.holds if h.kind == "deletions" for item in h.items}
        after = replace(world, published=published, remembered=remembered, held=waiting)
        again = plan_changes(after)
        again = reviewed(again, after) if review else again
        assert again.changes == ()
        assert waits(again) == waits(plan), "no less and no more"
        for scan in looked.values():
            for uri, found in scan.found.items():
                if uri not in by_end["unfit"] and uri not in by_end["held"]:
                    assert published[uri].content_hash == found.content_hash


@given(steps, st.data())
def test_what_is_held_ends_once_and_policy_reaches_what_stays(
    steps: list[tuple[Rules, dict[str, Scanned]]], data: st.DataObject
) -> None:
    """Of the last step any set of changes may be held; the steps before went through."""
    published: dict[str, Published] = {}
    remembered: dict[str, Remembered] = {}
    for granted, looked in steps:
        world = World(
            sources=granted, scanned=looked, published=published, recipe="1", remembered=remembered
        )
        plan = plan_changes(world)
        before, earlier = published, remembered
        published = carried_out(plan, published, world)
        remembered = remembered_after(plan, remembered)
    free = [c for c in plan.changes if may_wait(c, NO_ONE_ASKED)]
    waiting = [c for c in free if data.draw(st.booleans())]
    one = hold("audit", "one", items_of(waiting), "fails", suites="s")
    left = held_back(plan, {one: waiting}, world)
    assert {u for u, _ in one.items}.isdisjoint(
        c.uri for c in left.changes if c.kind is not Kind.RELABELLED
    )
    assert max(Counter(c.uri for c in left.changes).values(), default=1) == 1
    assert len(set().union(*ends(left).values())) + left.unchanged == len(uris_of(world))
    published = carried_out(left, before, world)
    remembered = remembered_after(left, earlier)
    for change in waiting:
        assert change.previous is None or change.previous.uri in published
        assert change.previous or change.uri not in published
    allowed(published, remembered, world.sources)


def allowed(state: dict[str, Published], remembered: dict[str, Remembered], granted: Rules) -> None:
    """Nothing that is shown is shown or learned from beyond what holds today."""
    withheld = withheld_today(state, granted, remembered)
    for uri, document in state.items():
        known = remembered.get(uri)
        wishes = [document.asked, known.asked if known else None]
        if uri in withheld or any(w and w.domain == "law" and "/x/" not in uri for w in wishes):
            continue
        rule = granted[document.source]
        path = uri.split("/", 1)[1]
        grant = next((p for g, p in rule.rules if g.match(path)), rule.default)
        shown = set(document.policy.labels)
        assert PUBLIC in grant.labels or shown <= set(grant.labels)
        assert not document.policy.train or grant.train
        for wish in filter(None, wishes):
            asked = set(wish.labels or (PUBLIC,))
            assert PUBLIC in asked or shown <= asked
            assert not (document.policy.train and wish.train is False)
            policy = granted.domain("own" if wish.domain == "own" else grant.domain)
            assert not (policy.expired == "withhold" and is_expired(wish, granted.on))
        assert not (known and known.withhold)
        forbidden = granted.domain(document.policy.domain).secrets == "no-training"
        assert not (document.policy.train and document.findings and forbidden)


@given(steps, st.sampled_from(["s1", "s2"]))
def test_source_that_failed_is_held_while_nothing_else_changes(
    steps: list[tuple[Rules, dict[str, Scanned]]], suites: str
) -> None:
    granted, looked = steps[0]
    world = World(sources=granted, scanned=looked, published={}, recipe="1")
    plan = plan_changes(world)
    ours = [c for c in plan.changes if c.source == "one"]
    failed = {"one": hold("audit", "one", items_of(ours), "fails", suites="s1")}
    standing = standing_audit_holds(plan.changes, failed, suites=suites, accepted=NO_ONE_ASKED)
    assert standing == ({failed["one"]: tuple(ours)} if ours and suites == "s1" else {})
    left = held_back(plan, standing, world)
    assert {c.uri for c in left.changes} == {c.uri for c in plan.changes} - {
        c.uri for changes in standing.values() for c in changes
    }


@given(st.lists(st.tuples(rules(), scans()), min_size=2, max_size=4), st.data())
def test_no_earlier_state_shows_more_than_today(
    steps: list[tuple[Rules, dict[str, Scanned]]], data: st.DataObject
) -> None:
    published: dict[str, Published] = {}
    remembered: dict[str, Remembered] = {}
    states = []
    for granted, looked in steps:
        world = World(
            sources=granted, scanned=looked, published=published, recipe="1", remembered=remembered
        )
        plan = plan_changes(world)
        published = carried_out(plan, published, world)
        remembered = remembered_after(plan, remembered)
        states.append(published)
    back = data.draw(st.sampled_from(states))
    rules_today = steps[-1][0]
    withheld = withheld_today(back, rules_today, remembered, newest=published)
    for uri, document in back.items():
        if uri in withheld:
            continue
        today = published.get(uri)
        readers = set(document.policy.labels)
        rule = rules_today[document.source]
        path = uri.split("/", 1)[1]
        grant = next((p for g, p in rule.rules if g.match(path)), rule.default)
        ceiling = set(grant.labels)
        assert PUBLIC in ceiling or readers <= ceiling
        asked = remembered[uri].asked
        if asked is not None and asked.labels is not None and PUBLIC not in asked.labels:
            assert readers <= set(asked.labels)
        if asked is not None and asked.domain != "own":
            ends_by_age = rules_today.domain(grant.domain).expired == "withhold"
            assert not (ends_by_age and is_expired(asked, rules_today.on))
        assert not remembered[uri].withhold
        if today is not None and PUBLIC not in today.policy.labels and uri not in withheld:
            assert PUBLIC not in readers or PUBLIC in ceiling
