import pytest

from pipelines.training.links import references, resolve, slug
from pipelines.training.sketches import SIZE, Sketches, sketch
from pipelines.training.texts import body, heading_text


def test_body_is_what_stands_below_the_headings() -> None:
    assert body("# One\n\n## Two\n\nText with # in it.\n\nMore.") == "Text with # in it.\n\nMore."
    assert body("One\n===\n\nText.") == "Text."
    assert body("## Alone") == ""
    assert body("No heading.") == "No heading."
    assert body("#hashtag is no heading") == "#hashtag is no heading"


def test_title_that_is_a_heading_too_is_said_once() -> None:
    assert heading_text("Leave", ["leave", "Carrying\n over"]) == "leave > Carrying over"
    assert heading_text("Staff", ["Leave"]) == "Staff > Leave"
    assert heading_text("", []) == ""


def test_sentence_is_told_without_markup_and_bullet() -> None:
    text = (
        "Not this one.\n\n- Whoever is *ill* tells us at once, as "
        "[the rules on sickness](ill.md) ask of everyone. Another sentence."
    )
    (found,) = references(text)
    assert (
        found.text == "Whoever is ill tells us at once, as the rules on sickness ask of everyone."
    )
    assert found.address == "ill.md"


@pytest.mark.parametrize(
    "text",
    [
        "- [A long list of links that are hardly more than that](a.md)",
        "See [one](a.md) and then [two](b.md) before you ask anybody about it.",
        "![A picture of a very large building in the snow of winter](a.png)",
        "## Read [this](a.md) before you do any of the other things",
        "| Read [this](a.md) | before you do any of the other things |",
        "No link at all stands in this sentence about nothing in particular.",
    ],
)
def test_sentence_that_asks_nothing_is_left(text: str) -> None:
    assert not list(references(text))


DOCUMENTS = {
    "site/hr/leave.md": "leave",
    "site/hr/index.md": "hr",
    "site/a b.md": "blank",
    "site/team/_index.md": "team",
    "other/hr/leave.md": "other",
}


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("leave.md", ("leave", "")),
        ("leave#rest", ("leave", "rest")),
        ("../hr/", ("hr", "")),
        ("/hr/leave.html?x=1#y", ("leave", "y")),
        ("/handbook/team/", ("team", "")),
        ("../a%20b.md", ("blank", "")),
        ("../../other/hr/leave.md", None),
        ("https://example.com/hr/leave.md", None),
        ("mailto:hr@example.com", None),
        ("#here", None),
        ("missing.md", None),
    ],
)
def test_address_is_resolved_within_its_source(address: str, found: tuple[str, str] | None) -> None:
    assert resolve(address, "site/hr/sickness.md", DOCUMENTS) == found


def test_heading_is_spelled_as_links_spell_it() -> None:
    assert slug("Carrying leave over (2026)!") == "carrying-leave-over-2026"


PASSAGE = " ".join(f"word{n}" for n in range(100))


def test_near_duplicate_is_found_without_the_text() -> None:
    known = Sketches([sketch(PASSAGE), sketch("something else altogether is said here")])
    assert known.near(sketch(PASSAGE.upper()))
    assert known.near(sketch(PASSAGE.replace("word50 word51 word52", "three other words")))
    assert not known.near(sketch(" ".join(f"other{n}" for n in range(100))))
    assert not Sketches([]).near(sketch(PASSAGE))


def test_sketch_is_whole_numbers_of_32_bits() -> None:
    found = sketch("")
    assert len(found) == SIZE
    assert all(0 <= value < 2**32 for value in sketch(PASSAGE))
    assert sketch(PASSAGE) == sketch(PASSAGE)
