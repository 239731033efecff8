"""The page of a watched model: whole, honest, and harmless whatever a name holds."""

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.drift.records import (
    Exposed,
    Exposure,
    Held,
    Level,
    Moved,
    Observation,
    Signal,
    Verdict,
)
from pipelines.knowledge import LookRow
from pipelines.pages import (
    asked_about,
    domains_picture,
    evidence_picture,
    exposure_picture,
    levels_picture,
    moved_picture,
    newest_exposure,
    newest_moved,
    transitions,
    watch_page,
    watch_pictures,
    worth_picture,
)
from tests.markup import Reader

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVIL = "docs/\"'><script>alert(1)</script>&amp;{{ 7*7 }}$x$\u202e\x00\udcff\u6f22.md"


def exposure(*documents: str, **more: Any) -> Exposure:
    costly = tuple(
        Exposed(uri=u, domain="hr", examples=3, severity=0.5, share=0.25, what="changed")
        for u in documents
    )
    made = {"value": 0.125, "examples": 640, "affected": 80, "domains": {"hr": 0.2, "it": 0.05}}
    return Exposure(**made | more, documents=costly)


def moved(*documents: str) -> tuple[Moved, ...]:
    return (Moved(channel="topic", bin=7, then=0.04, now=0.31, documents=documents),)


def held(uri: str, *, as_before: int = 0, memory: float | None = None) -> Held:
    return Held(uri=uri, domain="hr", facts=4, as_before=as_before, memory=memory)


def signal(name: str = "novelty", evidence: float = 30.0, **more: Any) -> Signal:
    return Signal(**{"name": name, "evidence": evidence, "threshold": 100.0, "items": 400} | more)


def look(number: int = 1, level: Level = "fresh", **more: Any) -> LookRow:
    seen = {key: more.pop(key) for key in ("exposure", "moved", "held") if key in more}
    at = START + timedelta(days=number)
    said = {"reasons": (), "signals": (signal(),), "exposure": 0.125, "worth": None, "next": ()}
    verdict = Verdict(**said | {"debt": None, "cost": None} | more, level=level)
    return LookRow(
        model="answers",
        version="v0.0.2",
        number=number,
        look=f"run-{number}",
        at=at,
        publication=40 + number,
        observation=Observation(look="run", at=at, publication=1, **seen).to_dict(),
        state="{}",
        verdict=asdict(verdict),
    )


def read(*looks: LookRow) -> Reader:
    return Reader(watch_page(looks, knowledge="kb"))


def words(svg: str) -> str:
    return "".join(ElementTree.fromstring(svg).itertext())  # noqa: S314 - made here


def test_page_says_whether_the_model_is_still_worth_having() -> None:
    said = read(
        look(1),
        look(2, "stale", worth=(-0.02, -0.09, -0.011), reasons=("It gains nothing any more.",)),
    ).text
    assert "Stale: it should be trained again, or taken back." in said
    assert "-0.020 over its base on new questions" in said
    assert "surely between -0.090 and -0.011" in said
    assert "It gains nothing any more." in said


@pytest.mark.parametrize(
    ("level", "shade"),
    [("fresh", "outcome"), ("watch", "outcome doubted"), ("stale", "outcome refused")],
)
def test_each_level_has_its_sentence_and_shade(level: Level, shade: str) -> None:
    page = read(look(1, level))
    assert page.all("p")[0]["class"] == shade
    assert f"{level.title()}: " in page.text


def test_page_without_anything_new_claims_nothing() -> None:
    page = read(look(1, signals=(), reasons=("not enough questions yet: 120 of 200",)))
    assert "not known yet: no new questions" in page.text
    assert "not enough questions yet: 120 of 200" in page.text
    assert "Nothing that it learned from has changed." in page.text
    assert "Expected loss" not in page.text  # an embedder has none
    assert [one.key for one in watch_pictures([look(1, signals=())])] == ["verdicts"]


def test_signals_stand_in_the_table_with_what_they_need() -> None:
    bet = signal(
        "worth", 812.5, effect=-0.02, lower=-0.09, upper=-0.011, says="It is surely worse."
    )
    page = watch_page([look(1, signals=(bet, signal("novelty", 3.0)))], knowledge="kb")
    rows = re.findall(r'<tr class="(\w+)"><th scope="row">(\w+)</th>(.*?)</tr>', page)
    assert [(shade, name) for shade, name, _ in rows] == [
        ("warning", "worth"),
        ("passed", "novelty"),
    ]
    cells = re.findall("<td[^>]*>(.*?)</td>", rows[0][2])
    assert cells == ["812.5", "100", "400", "-0.02", "-0.09 to -0.011", "It is surely worse."]


def test_page_says_what_alpha_comes_to_over_a_year_of_versions() -> None:
    by = {"topic": 200.0, "novelty": 100.0, "changes": 200.0, "golden": 100.0, "worth": 50.0}
    signals = tuple(signal(name, 1.0, threshold=needs) for name, needs in by.items())
    said = read(look(1, signals=signals)).text
    assert "with a chance of at most 5 %" in said
    assert "of 12 versions a year at most 0.6 a year" in said


def test_what_changed_and_what_was_withdrawn_is_named_by_uri() -> None:
    seen = exposure("docs/leave.md", withdrawn=("docs/secret.md",))
    page = read(look(1, "stale", exposure=seen, moved=moved("docs/new.md")))
    assert "80 of 640 examples" in page.text
    for uri in ("docs/leave.md", "docs/secret.md", "docs/new.md"):
        assert uri in page.text


def test_exposure_and_moves_stand_until_a_look_counts_them_again() -> None:
    looks = [look(1, exposure=exposure("a.md")), look(2, moved=moved()), look(3)]
    found = newest_exposure(looks)
    assert found is not None
    assert found["documents"][0]["uri"] == "a.md"
    assert [one["bin"] for one in newest_moved(looks)] == [7]
    assert newest_exposure([look(1)]) is None
    assert newest_moved([look(1)]) == []


def test_transitions_are_the_looks_at_which_the_level_became_another() -> None:
    levels: list[Level] = ["fresh", "fresh", "watch", "watch", "fresh", "stale", "stale"]
    looks = [look(n, level) for n, level in enumerate(levels, 1)]
    assert [one.number for one in transitions(looks)] == [1, 3, 5, 6]
    page = watch_page(looks, knowledge="kb")
    told = page[page.index('id="verdicts"') :]
    assert re.findall(r'<td class="number">(\d)</td>', told) == ["6", "5", "3", "1"]


def test_all_that_there_is_to_draw_is_drawn_and_lies_in_the_page() -> None:
    looks = [look(1), look(2, worth=(0.1, 0.0, 0.2), exposure=exposure(), moved=moved())]
    keys = ["evidence", "worth", "exposure", "domains", "moved", "verdicts"]
    assert [one.key for one in watch_pictures(looks)] == keys
    shown = read(*looks).all("img")
    assert {one.address for one in watch_pictures(looks)} == {one["src"] for one in shown}
    assert all(one["alt"] for one in shown)


def test_policy_lets_the_page_show_its_pictures_and_ask_nobody() -> None:
    (policy,) = [m for m in read(look()).all("meta") if "http-equiv" in m]
    told = str(policy["content"]).split("; ")
    assert told[0] == "default-src 'none'"
    assert "img-src data:" in told
    assert "http" not in watch_page([look()], knowledge="kb").replace("http-equiv", "")


def test_names_of_other_people_do_nothing_on_the_page() -> None:
    seen = exposure(EVIL, domains={EVIL: 0.5}, withdrawn=(EVIL,))
    page = read(look(1, exposure=seen, moved=moved(EVIL), reasons=(EVIL,), next=(EVIL,)))
    assert not page.all("script")
    assert "\\u202e\\x00\\udcff" in page.text
    assert "49" not in page.text.split()


def test_evidence_is_drawn_as_a_part_of_what_it_needs() -> None:
    looks = [look(n, signals=(signal("novelty", 10.0**n), signal("worth", 0.0))) for n in (1, 2, 3)]
    said = words(evidence_picture(looks))
    assert "novelty" in said
    assert "worth" in said
    assert "2026-03-05 to 2026-03-07" in said


def test_evidence_beyond_all_measure_leaves_the_rest_to_be_seen() -> None:
    looks = [look(n, signals=(signal("novelty", 1e250), signal("worth", 3.0))) for n in (1, 2)]
    said = words(evidence_picture(looks))
    assert "0.01" in said
    assert "e+" not in said


def test_pictures_hold_for_one_look_and_for_very_many() -> None:
    last = {"worth": (0.1, 0.0, 0.2), "exposure": exposure()}
    assert len(watch_pictures([look(1, **last)])) == 5
    many = [look(n) for n in range(1, 2000)] + [look(2000, **last)]
    # As an artifact all of it is handed out in every list of artifacts.
    assert sum(len(one.address) for one in watch_pictures(many)) < 120_000


def test_a_turn_of_the_level_is_drawn_among_very_many_looks() -> None:
    looks = [look(n, "watch" if n == 777 else "fresh") for n in range(1, 2000)]
    quiet = [look(n) for n in range(1, 2000)]
    assert levels_picture(looks) != levels_picture(quiet)


def test_a_channel_that_begins_late_begins_there() -> None:
    looks = [look(1), look(2, signals=(signal(), signal("golden", 500.0)))]
    assert "golden" in words(evidence_picture(looks))


def test_only_the_largest_domains_are_drawn() -> None:
    said = words(domains_picture({f"domain-{n}": n / 100 for n in range(30)}))
    assert "domain-29" in said
    assert "domain-17" not in said
    assert "29.0%" in said


@settings(max_examples=10, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_pictures_are_whole_whatever_a_domain_is_called(name: str) -> None:
    ElementTree.fromstring(domains_picture({name: 0.5}))  # noqa: S314 - made here


def test_same_looks_are_the_same_bytes() -> None:
    looks = [look(1), look(2, worth=(0.1, 0.0, 0.2), exposure=exposure(), moved=moved())]
    for draw in (evidence_picture, worth_picture, exposure_picture, levels_picture):
        assert draw(looks) == draw(looks)
    assert moved_picture(newest_moved(looks)) == moved_picture(newest_moved(looks))
    assert watch_page(looks, knowledge="kb") == watch_page(looks, knowledge="kb")


def test_what_a_generator_was_asked_is_added_up_by_document() -> None:
    first = look(1, held=(held("docs/a.md"), held("docs/b.md", as_before=1, memory=0.5)))
    again = look(2, held=(held("docs/b.md", as_before=3),))
    old = look(3)
    del old.observation["held"]
    assert [
        (one["uri"], one["facts"], one["as_before"], one["memory"])
        for one in asked_about([first, again, old])
    ] == [("docs/b.md", 8, 4, 0.5), ("docs/a.md", 4, 0, None)]


def test_page_of_a_generator_names_documents_whose_facts_it_holds_on_to() -> None:
    told = (held(EVIL, as_before=3, memory=-0.25), held("docs/a.md"))
    page = watch_page([look(1, "stale", held=told, debt=12.5, cost=None)], knowledge="kb")
    said = Reader(page).text
    assert "Facts that changed" in said
    assert re.search(r"docs/a\.md\s*hr\s*4\s*0\s*-", said)
    assert "-0.25" in said
    assert "<script>" not in page
    assert "over its base on new questions" not in said
    assert "Facts that changed" not in read(look(1)).text
