"""Receipts and the quarantine as Markdown: complete, small, and safe whatever a name holds."""

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flows.artifacts import quarantine_list, receipt, source_version
from flows.markdown import OPEN_ROWS, code, stage_bar
from pipelines.config import Config, GitSource, Knowledge
from pipelines.knowledge import QuarantineRow
from pipelines.planning import Change, Found, Hold, Kind, Rejected
from pipelines.planning.access import Policy
from pipelines.records import Entry, Failure
from pipelines.refresh import Report, SourceReport

COMMIT = "0123456789abcdef0123456789abcdef01234567"
EVIL = "handbook/`a`|<script>alert(1)</script>[x](javascript:b)\n# *c* _d_ &amp; www.e.com.md"
CONFIG = Config(
    knowledge=Knowledge(name="kb", store="store"),
    sources=(
        GitSource(
            name="handbook",
            kind="git",
            url="https://me:token@example.org/team/handbook.git",
            domain="hr",
            labels=("public",),
        ),
    ),
    path=Path("staleproof.toml"),
    root=Path(),
)
SECONDS = {"scan": 0.5, "plan": 0.1, "embed": 7.25, "write": 1.0, "audit": 0.2, "publish": 0.1}
REPORT = Report(
    knowledge="kb",
    run="run-1",
    publication=14,
    published=True,
    reason=None,
    documents={"added": 2, "changed": 1, "relabelled": 0, "moved": 0, "deleted": 1, "unchanged": 9},
    chunks={"embedded": 12, "reused": 3_000, "deleted": 4, "total": 3_012},
    tokens_embedded=2_345,
    seconds=SECONDS | {"total": 9.15},
    sources=(SourceReport("handbook", True, None, 12, COMMIT, 3),),
    attention=(),
)


def change(uri: str, kind: Kind = Kind.ADDED, domain: str = "hr") -> Change:
    return Change(kind, uri, "handbook", "its bytes changed", Policy(domain, ("public",), True))


def rejected(uri: str) -> Rejected:
    found = Found(uri, "handbook", Entry("path", "token"), "hash", None)
    return Rejected(found, Failure("text_is_utf8", "byte 17 is 0xff"), known=False)


def hold(number: int, uri: str) -> Hold:
    return Hold(f"{number:010x}", "deletions", "handbook", ((uri, ""),), f"{uri} is gone")


def quarantined(uri: str) -> QuarantineRow:
    since = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    failure = Failure("text_is_utf8", "byte 17")
    return QuarantineRow(uri, "handbook", "hash", failure, "an excerpt", None, "suites", since)


def html(markdown: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


def test_receipt_says_what_happened() -> None:
    text = receipt(REPORT, CONFIG)
    assert text.startswith("# kb +2 ~1 -1, published as #14\n")
    for line in ("| added | 2 |", "| changed | 1 |", "| embedded | 12 |", "| reused | 3,000 |"):
        assert line in text.splitlines()
    assert "| tokens embedded | 2,345 |" in text
    assert "| moved |" not in text, "what did not happen takes no line"
    assert "embed 7.25" in text
    assert "## Waits" not in text


def test_receipt_says_why_nothing_was_published_and_what_readers_see() -> None:
    told = replace(REPORT, published=False, reason="pinned", changes=(change("handbook/a.md"),))
    text = receipt(told, CONFIG)
    assert text.startswith("# kb: pinned, readers see #14\n")
    assert "## What waits" in text
    assert "nothing is published" in receipt(replace(told, publication=None), CONFIG)


def test_changes_stand_under_their_domain_with_the_long_part_folded() -> None:
    many = tuple(change(f"handbook/{n}.md", domain="legal") for n in range(OPEN_ROWS + 5))
    gone = change("handbook/old.md", Kind.DELETED)
    text = receipt(replace(REPORT, changes=(gone, *many)), CONFIG)
    hr, legal = text.index("### hr (-1)"), text.index(f"### legal (+{OPEN_ROWS + 5})")
    assert hr < text.index("- deleted | <code>handbook/old.md</code>") < legal
    assert "<summary>5 more</summary>" in text[legal:]
    assert text.count("<code>handbook/19.md</code>") == 1


def test_hold_comes_with_the_commands_that_decide_it() -> None:
    text = receipt(replace(REPORT, holds=(hold(1, "handbook/a.md"),)), CONFIG)
    assert "`staleproof accept 0000000001` or `staleproof drop 0000000001`" in text


def test_attention_is_listed_unless_it_has_a_part_of_its_own() -> None:
    lines = ("Pinned to #14: 3 changes wait.", "Hold 1 (x): y.", "Quarantined handbook/a.md: z.")
    shown = html(receipt(replace(REPORT, attention=lines), CONFIG))
    assert "<li>Pinned to #14: 3 changes wait.</li>" in shown
    assert "Hold 1" not in shown
    assert "Quarantined" not in shown


def test_broken_listing_says_why() -> None:
    source = SourceReport("handbook", False, "no such folder", 0)
    assert "no such folder" in receipt(replace(REPORT, sources=(source,)), CONFIG)


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://me:pw@example.org:8443/a/b.git", f"https://example.org:8443/a/b/commit/{COMMIT}"),
        ("http://example.org/a/b/", f"http://example.org/a/b/commit/{COMMIT}"),
        ("git@example.org:a/b.git", None),
        ("javascript://example.org/%0aalert(1)", None),
        ("../handbook.bundle", None),
        ("https://[broken/a", None),
        ("https://example.org:port/a", None),
    ],
)
def test_source_version_links_to_the_commit_only_on_the_web(url: str, link: str | None) -> None:
    shown = source_version(url, COMMIT)
    assert f"<code>{COMMIT[:12]}</code>" in shown
    assert re.findall('href="(.*)"', shown) == ([link] if link else [])


def test_password_in_an_address_is_not_shown() -> None:
    assert "token@" not in html(receipt(REPORT, CONFIG))
    assert "example.org/team/handbook/commit/" in receipt(REPORT, CONFIG)


@given(st.text(st.sampled_from("<>|`*_[]()!&#\\:/ \nawb.") | st.characters(), min_size=1))
def test_any_name_is_one_cell_of_text(name: str) -> None:
    shown = html(f"| a | b |\n|---|---|\n| {code(name)} | end |\n")
    cells = re.findall(r"<td>(.*?)</td>", shown, flags=re.DOTALL)
    assert len(cells) == 2
    assert re.fullmatch(r"<code>[^<>\n]*</code>", cells[0]), cells[0]


def test_hostile_name_does_nothing_wherever_it_stands() -> None:
    told = replace(
        REPORT,
        changes=(change(EVIL, domain=EVIL),),
        rejected=(rejected(EVIL),),
        holds=(hold(1, EVIL),),
        attention=(f"{EVIL} waits",),
        slowest=((0.5, EVIL),),
        sources=(SourceReport(EVIL, False, EVIL, 0, EVIL),),
    )
    for text in (receipt(told, CONFIG), quarantine_list([quarantined(EVIL)])):
        shown = html(text)
        assert not re.search(r"<script|<em|<a |<h1>\s*c|javascript:b\"", shown)
        assert "&lt;script&gt;" in shown


def test_quarantine_shows_uri_expectation_observation_and_age_but_no_excerpt() -> None:
    text = quarantine_list([quarantined("handbook/bad.md")])
    assert "<code>handbook/bad.md</code>" in text
    assert "text_is_utf8" in html(text)
    assert "2026-03-04 05:06" in text
    assert "excerpt" not in text


def test_artifacts_stay_small_however_much_there_is() -> None:
    long = "\U0001f4c4`|" * 60
    many = 5_000
    told = replace(
        REPORT,
        changes=tuple(change(f"h/{n}/{long}", domain=f"d{n % 40}") for n in range(many)),
        rejected=tuple(rejected(f"h/{n}/{long}") for n in range(many)),
        holds=tuple(hold(n, f"h/{n}/{long}") for n in range(many)),
        attention=tuple(f"h/{n}/{long} waits" for n in range(many)),
        slowest=((0.5, long),) * 5,
        sources=tuple(SourceReport(f"s{n}", False, long, 0, COMMIT) for n in range(500)),
    )
    text = receipt(told, CONFIG)
    assert len(text.encode()) < 200_000
    assert "more are not listed here" in text
    assert len(quarantine_list([quarantined(f"h/{n}/{long}") for n in range(many)])) < 200_000


def test_stages_are_a_picture_whose_parts_add_up() -> None:
    [encoded] = re.findall(
        r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", receipt(REPORT, CONFIG)
    )
    assert base64.b64decode(encoded).decode() == stage_bar(REPORT.seconds)
    picture = ElementTree.fromstring(stage_bar(REPORT.seconds))  # noqa: S314 - our own
    bars = [r for r in picture if r.tag.endswith("rect") and r.get("height") == "22"]
    assert len(bars) == len(SECONDS)
    assert sum(float(bar.get("width", "0")) for bar in bars) == pytest.approx(680, abs=0.5)
    assert "embed 7.25 s" in "".join(picture.itertext())


def test_stages_that_took_no_time_are_a_picture_too() -> None:
    assert 'width="0.0"' in stage_bar({"scan": 0.0})
