"""Whatever the sources do, a plan converges, counts each document once and widens nothing."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import FilesSource, SourceRule
from pipelines.planning import (
    Found,
    Kind,
    Plan,
    Published,
    Remembered,
    Scanned,
    SourceRules,
    TakenDown,
    World,
    plan_changes,
    source_rules,
    withheld_uris,
)
from pipelines.records import PUBLIC, Entry, Failure, FrontMatter

LABELS = ("hr", "managers", PUBLIC)
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
    ),
)
grants = st.lists(st.sampled_from(LABELS), min_size=1, unique=True).map(tuple)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, SourceRules]:
    made = {}
    for name in ("one", "two"):
        made[name] = source_rules(
            FilesSource(
                name=name,
                path=name,
                domain="general",
                labels=draw(grants),
                rules=(SourceRule(match="x/**", labels=draw(grants)),),
            )
        )
    return made


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


def carried_out(plan: Plan, before: dict[str, Published], recipe: str) -> dict[str, Published]:
    """The published state after a plan was applied."""
    after = dict(before)
    for change in plan.changes:
        if change.previous is not None:
            after.pop(change.previous.uri, None)
    for change in plan.changes:
        if change.policy is None:
            continue
        if change.found is not None:
            after[change.uri] = Published(
                change.uri, change.source, change.found.content_hash, recipe,
                change.policy, change.asked, "", 0.0,
            )  # fmt: skip
        elif change.previous is not None:
            after[change.uri] = replace(change.previous, policy=change.policy)
    return after


def remembered_after(plan: Plan, before: dict[str, Remembered]) -> dict[str, Remembered]:
    moved = {
        c.uri: Remembered(c.found.content_hash, c.asked) for c in plan.of(Kind.MOVED) if c.found
    }
    return before | plan.remembered | moved


@given(st.lists(st.tuples(rules(), scans()), min_size=1, max_size=4))
def test_plan_converges_and_counts_each_document_once(
    steps: list[tuple[dict[str, SourceRules], dict[str, Scanned]]],
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
        held = {uri for hold in plan.holds for uri, _ in hold.items}
        unfit = {r.found.uri for r in plan.rejected}
        gone_with_move = {
            c.previous.uri for c in plan.of(Kind.MOVED) if c.previous and c.previous.uri != c.uri
        }
        doing = Counter(c.uri for c in plan.changes)
        assert max(doing.values(), default=1) == 1
        everything = {u for s in looked.values() for u in s.found} | set(published)
        counted = len(set(doing) | unfit | held | gone_with_move) + plan.unchanged
        assert counted == len(everything)
        published = carried_out(plan, published, "1")
        remembered = remembered_after(plan, remembered)
        waiting = {item: hold.why for hold in plan.holds for item in hold.items}
        after = replace(world, published=published, remembered=remembered, held=waiting)
        again = plan_changes(after)
        assert again.changes == ()
        for scan in looked.values():
            for uri, found in scan.found.items():
                if uri not in unfit and uri not in held:
                    assert published[uri].content_hash == found.content_hash


@given(st.lists(st.tuples(rules(), scans()), min_size=2, max_size=4), st.data())
def test_no_earlier_state_shows_more_than_today(
    steps: list[tuple[dict[str, SourceRules], dict[str, Scanned]]], data: st.DataObject
) -> None:
    published: dict[str, Published] = {}
    remembered: dict[str, Remembered] = {}
    states = []
    for granted, looked in steps:
        world = World(
            sources=granted, scanned=looked, published=published, recipe="1", remembered=remembered
        )
        plan = plan_changes(world)
        published = carried_out(plan, published, "1")
        remembered = remembered_after(plan, remembered)
        states.append(published)
    back = data.draw(st.sampled_from(states))
    rules_today = steps[-1][0]
    withheld = withheld_uris(
        back.values(),
        sources=rules_today,
        newest=published,
        remembered=remembered.get,
        taken_down=TakenDown(),
    )
    for uri, document in back.items():
        if uri in withheld:
            continue
        today = published.get(uri)
        readers = set(document.policy.labels)
        rule = rules_today[document.source]
        path = uri.split("/", 1)[1]
        ceiling = set(next((p for g, p in rule.rules if g.match(path)), rule.default).labels)
        assert PUBLIC in ceiling or readers <= ceiling
        asked = remembered[uri].asked
        if asked is not None and asked.labels is not None and PUBLIC not in asked.labels:
            assert readers <= set(asked.labels)
        assert not remembered[uri].withhold
        if today is not None and PUBLIC not in today.policy.labels and uri not in withheld:
            assert PUBLIC not in readers or PUBLIC in ceiling
