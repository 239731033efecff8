"""The page of an audit: whole, readable, and harmless whatever a name holds."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.pages import audit_page, each_once, failing_first, outcome, write_page
from pipelines.pages.sparkline import HEIGHT, MARGIN, WIDTH, sparkline
from tests.markup import Reader

EVIL = "docs/\"'><script>alert(1)</script>&amp;{{ 7*7 }}\u202e\x00\udcff.md"


def verdict(name: str, *, passed: bool = True, **more: Any) -> dict[str, Any]:
    made = {
        "grain": "documents",
        "expectation": name,
        "severity": "critical",
        "expected": f"{name} at least 1",
        "passed": passed,
        "checked": 40,
        "observed": "40 documents",
        "rows": {} if passed else {"docs/a.md": "0"},
    }
    made |= more
    return made | {"failed": more.get("failed", len(made["rows"]))}


def history(**series: list[float | None]) -> list[dict[str, Any]]:
    length = max(map(len, series.values()), default=0)
    return [
        {
            "number": n + 1,
            "at": "2026-03-04T05:06:07+00:00",
            "measures": {"docs": {name: values[n] for name, values in series.items()}},
        }
        for n in range(length)
    ]


def data(*verdicts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "ok": True,
        "knowledge": "kb",
        "publication": 14,
        "at": "2026-03-04T06:06:07+01:00",
        "compared_with": 13,
        "documents": 1_040,
        "chunks": 2_769,
        "verdicts": list(verdicts),
        "measures": {},
        "mend": [],
        "history": [],
        "accepted": [],
        "held": [],
        "released": [],
    } | more


FULL = data(
    verdict("has_text"),
    verdict("is_not_a_copy", passed=False, severity="warning"),
    verdict("has_no_secrets", passed=False, rows={EVIL: EVIL}, failed=25),
    ok=False,
    measures={"docs": {"documents": 44, "canary_recall": 0.912345, "centroid_shift": None}},
    history=history(documents=[40, None, 43.0], canary_recall=[0.9, 0.9, 0.9]),
    mend=[{"id": EVIL, "uri": EVIL, "why": "its document goes"}],
    accepted=[{"hold": "ab12", "kind": "audit", "actor": EVIL, "reason": ""}],
    released=[{"uri": EVIL, "expectation": "has_no_secrets", "actor": "ada", "reason": EVIL}],
)


def test_page_asks_nothing_of_anyone() -> None:
    page = audit_page(FULL)
    reader = Reader(page)
    tags = {tag for tag, _ in reader.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "a", "base"}
    attributes = {name for _, given in reader.elements for name in given}
    assert not attributes & {"src", "href", "srcset", "style", "action", "background"}
    assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"(?i)https?:|//|url\(|@import|@font-face", page)


def test_policy_allows_the_page_its_own_styles_and_nothing_else() -> None:
    page = audit_page(FULL)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [m for m in Reader(page).all("meta") if "http-equiv" in m]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert str(policy["content"]).split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_names_of_other_people_are_text_wherever_they_stand() -> None:
    page = audit_page(FULL | {"knowledge": EVIL, "measures": {EVIL: {"documents": 1}}})
    page.encode()
    assert not re.search("[\u202e\x00]", page)
    shown = "docs/\"'><script>alert(1)</script>&amp;{{ 7*7 }}\\u202e\\x00\\udcff.md"
    assert sum(shown in text for text in Reader(page).texts) >= 8


@given(st.text(st.sampled_from("<>\"'&{}%#\n \\") | st.characters(), min_size=1))
def test_any_name_is_one_text(name: str) -> None:
    one = audit_page(data(verdict("x", passed=False, rows={name: name}), mend=[]))
    other = audit_page(data(verdict("x", passed=False, rows={"a": "a"}), mend=[]))
    assert Reader(one).elements == Reader(other).elements


def test_header_says_which_publication_and_what_came_of_it() -> None:
    texts = Reader(audit_page(FULL)).texts
    assert "Audit of kb #14" in texts
    assert "Refused: 1 of 3 expectations failed critically, 1 failed as a warning." in texts
    assert "2026-03-04 05:06 UTC" in texts
    assert "1,040 documents in 2,769 passages" in texts
    assert "#13" in texts
    first = Reader(audit_page(data(compared_with=None))).texts
    assert "nothing: there is no earlier publication" in first


def test_failing_expectations_come_first_and_are_told_by_words() -> None:
    page = audit_page(FULL)
    rows = re.findall(r'<tr class="(\w+)"><td class="word">(\w+)</td><td>(\w+)</td>', page)
    assert rows == [
        ("critical", "failed", "critical"),
        ("warning", "failed", "warning"),
        ("passed", "passed", "critical"),
    ]
    assert "and 24 more" in Reader(page).texts


def test_tables_can_be_read_aloud() -> None:
    reader = Reader(audit_page(FULL))
    assert all(th.get("scope") in ("col", "row") for th in reader.all("th"))
    regions = [div for div in reader.all("div") if div.get("class") == "scroll"]
    ids = {given["id"] for _, given in reader.elements if "id" in given}
    assert len(regions) == len(reader.all("table"))
    assert {region["aria-labelledby"] for region in regions} <= ids
    assert reader.all("html") == [{"lang": "en"}]


def test_measures_show_their_last_publications() -> None:
    reader = Reader(audit_page(FULL))
    said = [svg["aria-label"] for svg in reader.all("svg")]
    assert said == [
        "40 to 44 over 3 publications, #1 to #14",
        "0.9 to 0.912345 over 4 publications, #1 to #14",
    ]
    assert "0.9123" in reader.texts
    assert any(text.endswith("compare with: centroid_shift.") for text in reader.texts)


def test_publication_itself_is_in_its_history_once() -> None:
    mine = data(
        measures={"docs": {"documents": 9}}, publication=2, history=history(documents=[7, 8])
    )
    (svg,) = Reader(audit_page(mine)).all("svg")
    assert svg["aria-label"] == "7 to 9 over 2 publications, #1 to #2"


@pytest.mark.parametrize(
    ("ok", "scope", "failed", "said"),
    [
        (True, "whole", [], "Passed: all 1 expectations hold."),
        (True, "whole", ["warning"], "Passed: 1 of 2 expectations failed, as a warning."),
        (True, "changes", ["critical"],
         "Passed: what failed 1 of 2 expectations critically is in quarantine."),
        (False, "changes", ["critical"], "Let through: 1 of 2 expectations failed critically."),
        (False, "whole", ["critical"], "Refused: 1 of 2 expectations failed critically."),
    ],
)  # fmt: skip
def test_outcome_is_one_sentence(ok: bool, scope: str, failed: list[str], said: str) -> None:
    verdicts = [verdict("a"), *(verdict("b", passed=False, severity=s) for s in failed)]
    assert outcome(data(*verdicts, ok=ok, scope=scope)) == said


def test_of_two_verdicts_on_passages_the_failing_one_is_told() -> None:
    good, bad = verdict("a"), verdict("a", passed=False)
    assert each_once([good, bad, verdict("b")]) == [bad, verdict("b")]
    assert each_once([bad, good]) == [bad]
    assert failing_first([good, bad]) == [bad, good]


def test_line_keeps_its_gaps_and_its_frame() -> None:
    line = sparkline([1, 3, None, 2, None, 5], [1, 2, 3, 4, 5, 6])
    assert line.path.count("M") == 1
    assert len(line.dots) == 2
    assert line.said == "1 to 5 over 4 publications, #1 to #6"
    numbers = [float(n) for n in re.findall(r"[\d.]+", line.path)]
    assert all(MARGIN <= x <= WIDTH - MARGIN for x in numbers[::2])
    assert all(MARGIN <= y <= HEIGHT - MARGIN for y in numbers[1::2])


@pytest.mark.parametrize(
    ("values", "path", "dots"),
    [
        ([], "", 0),
        ([None], "", 0),
        ([4], "", 1),
        ([4, 4], "M4 16 L156 16", 1),
        ([1, 2, None], "M4 28 L80 4", 0),
    ],
)
def test_short_and_level_series_can_be_drawn(
    values: list[float | None], path: str, dots: int
) -> None:
    line = sparkline(values, list(range(len(values))))
    assert (line.path, len(line.dots)) == (path, dots)


def test_page_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "new" / "page.html"
    write_page(file, "one")
    write_page(file, "two")
    assert file.read_text() == "two"

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space"):
            write_page(file, "three")
    assert [path.name for path in file.parent.iterdir()] == ["page.html"]
    assert file.read_text() == "two"
