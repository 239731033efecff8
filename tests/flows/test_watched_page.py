"""The page of a watched model as Markdown: verdict, evidence, ways on; small, safe, without texts."""

import re
from dataclasses import replace
from uuid import UUID

from flows.links import NOWHERE
from flows.watched import MOST_BYTES, watched_page
from pipelines.knowledge import LookRow
from pipelines.watch import Watched
from tests.flows.test_overview import LINKS, RUN, filled, html, links
from tests.unit.test_watch_pages import EVIL, exposure, held, look, moved, signal

KNOWN = replace(
    LINKS, deployments=LINKS.deployments | {"retrain/kb": LINKS.deployments["decide/kb"]}
)


def watched(*looks: LookRow, model: str = "answers") -> Watched:
    return Watched(model=model, version="v0.0.2", verdict=None, said="", history=looks)


def page(*looks: LookRow, model: str = "answers") -> str:
    return watched_page(watched(*looks, model=model), "kb", KNOWN)


def test_page_begins_with_the_verdict_why_and_what_is_next() -> None:
    text = page(look(), look(2, "stale", reasons=("it is worth less",), next=("fresh: never",)))
    assert text.startswith("# answers v0.0.2: stale\n\n- it is worth less\n")
    assert "**For the next level**\n\n- fresh&#58; never" in text
    assert text.count("data:image/svg+xml;base64,") == 2
    assert "2 looks, the last one at 2026-03-06 05:06 UTC on #42." in text


def test_evidence_exposure_and_what_moved_are_tables() -> None:
    seen = exposure("docs/a.md", withdrawn=("docs/b.md",))
    text = page(
        look(
            exposure=seen,
            moved=moved("docs/c.md"),
            signals=(signal("worth", upper=-0.1, lower=-0.4, effect=-0.25),),
        ),
    )
    assert "| worth | 400 | 30 | 100 | -0.250 [-0.400, -0.100] |" in html_of_cells(text)
    assert "80 of 640 examples rest on documents that have changed since." in text
    assert "1 may not be learned from today" in text
    assert "docs/b" in text
    shown = html(text)
    assert "<td>25%</td>" in shown
    assert "<td>4.0%</td>\n<td>31.0%</td>" in shown


def test_a_generator_has_a_table_of_facts_that_changed() -> None:
    told = (held("docs/a.md", as_before=3, memory=1.5), held(EVIL))
    shown = html(page(look(held=told)))
    assert "<td>hr</td>\n<td>4</td>\n<td>3</td>\n<td>+1.50</td>" in shown
    assert "<td>hr</td>\n<td>4</td>\n<td>0</td>\n<td></td>" in shown
    assert "<script" not in shown
    assert "Facts that changed" not in page(look())


def html_of_cells(text: str) -> str:
    """The text with its harmless spellings read back."""
    return re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), text)


def test_turns_lead_to_their_runs_newest_first() -> None:
    text = page(look(1), look(2), replace(look(3, "watch"), look=RUN))
    there = links(text)
    assert there["2026-03-07 05:06"] == f"/v2/runs/flow-run/{UUID(RUN)}"
    assert "2026-03-05 05:06" not in there, "that look was taken at the command line"
    assert text.index("| watch |") < text.index("| fresh |")
    assert "2026-03-06" not in text, "nothing turned then"


def test_ways_on_are_forms_that_are_filled_in() -> None:
    there = links(page(look()))
    assert filled(there["train it again"])["model"] == "answers"
    assert filled(there["train it again"])["scheduled"] is False
    assert filled(there["take it back"])["subject"] == "answers"
    assert there["overview"] == "/v2/artifacts/key/knowledge-kb"
    assert links(watched_page(watched(look()), "kb", NOWHERE)) == {}


def test_hostile_name_does_nothing() -> None:
    evil = look(
        level="watch",
        reasons=(EVIL,),
        next=(EVIL,),
        signals=(signal(says=EVIL),),
        exposure=exposure(EVIL, withdrawn=(EVIL,)),
        moved=moved(EVIL),
    )
    shown = html(page(evil))
    assert not re.search(r"<script|href=\"javascript", shown)


def test_page_stays_small_however_many_looks_there_are() -> None:
    long = "docs/" + "a" * 500
    names = ("topic", "novelty", "changes", "golden", "worth", "candidate")
    looks = [
        look(
            number,
            "watch" if number % 2 else "fresh",
            reasons=(long,) * 50,
            next=(long,) * 50,
            signals=tuple(signal(name, says=long) for name in names),
            exposure=exposure(*[f"{n}{long}" for n in range(20)]),
            moved=moved(*[long] * 5) * 20,
            worth=(0.1, -0.1, 0.2),
        )
        for number in range(1, 400)
    ]
    text = page(*looks)
    assert len(text.encode()) <= MOST_BYTES + 100
    assert "data:image" in text
