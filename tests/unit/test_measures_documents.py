from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from stdnum import luhn

from pipelines.quality.columns import DOCUMENTS
from pipelines.quality.documents import MASKED_CHARACTERS, Text, document_columns, masked
from pipelines.records import FrontMatter

TODAY = date(2026, 3, 1)
KINDS = ("card", "iban", "national-id")
PROSE = "Whoever travels asks the manager first, books the train and keeps the receipts.\n"
# Put together here, so that scanners of this repository stay silent.
TOKEN = "gh" + "p_" + "a7Kd92mXq4" * 3 + "Zt81Lw"
KEY_LINE = "Q7dK2mX9a4ZtLw81" * 4
PRIVATE_KEY = (
    "-----BEGIN RSA PRIVATE"
    + " KEY-----\n"
    + f"{KEY_LINE}\n" * 25
    + "-----END RSA PRIVATE"
    + " KEY-----"
)
CARD = "453973910482659" + luhn.calc_check_digit("453973910482659")

PAGE = Text(
    uri="handbook/travel.md",
    source="handbook",
    domain="hr",
    title="Travel",
    text=f"# Travel\n\n{PROSE * 10}",
    asked=FrontMatter(title="Travel", owner="Payroll", effective="2026-03-31"),
    published_characters=400,
    duplicate_of=None,
    required=("owner",),
    languages=("en",),
)


def row(text: Text, **more: Any) -> dict[str, Any]:
    columns = document_columns([text], today=TODAY, personal_data=KINDS, **more)
    return {name: values[0] for name, values in columns.items()}


def test_good_page_has_every_column_and_nothing_found() -> None:
    text = PAGE.text
    assert row(PAGE) == {
        "uri": "handbook/travel.md",
        "source": "handbook",
        "domain": "hr",
        "title": "Travel",
        "owner": "Payroll",
        "effective": "2026-03-31",
        "valid_until": None,
        "characters": len(text),
        "visible_characters": len("".join(text.split())),
        "words": 1 + 13 * 10,
        "longest_line": len(PROSE) - 1,
        "replacement_share": 0.0,
        "mojibake_share": 0.0,
        "control_characters": 0,
        "bidi_controls": 0,
        "boilerplate": None,
        "language": "en",
        "language_allowed": True,
        "missing_metadata": None,
        "days_ahead": 30,
        "secrets": None,
        "personal_data": None,
        "length_ratio": len(text) / 400,
        "duplicate_of": None,
    }


def test_columns_are_those_that_suites_may_name() -> None:
    columns = document_columns([PAGE, PAGE], today=TODAY, personal_data=())
    assert list(columns) == list(DOCUMENTS)
    assert {len(values) for values in columns.values()} == {2}
    assert list(document_columns([], today=TODAY, personal_data=())) == list(DOCUMENTS)


def test_document_without_front_matter_lacks_what_is_required() -> None:
    found = row(replace(PAGE, asked=None, title="", required=("owner", "title", "labels")))
    assert found["missing_metadata"] == "owner, title, labels"
    assert found["title"] is None
    assert found["days_ahead"] is None


@pytest.mark.parametrize(("effective", "days"), [("2099-01-01", 26604), ("2020-03-01", -2191)])
def test_effective_date_is_so_many_days_ahead(effective: str, days: int) -> None:
    assert row(replace(PAGE, asked=FrontMatter(effective=effective)))["days_ahead"] == days


def test_new_document_has_no_length_ratio() -> None:
    assert row(replace(PAGE, published_characters=None))["length_ratio"] is None
    assert row(replace(PAGE, published_characters=0))["length_ratio"] is None
    assert row(replace(PAGE, published_characters=2 * len(PAGE.text)))["length_ratio"] == 0.5


def test_language_is_judged_only_where_it_is_known() -> None:
    assert row(replace(PAGE, languages=("de", "fr")))["language_allowed"] is False
    assert row(replace(PAGE, languages=()))["language_allowed"] is True
    short = row(replace(PAGE, text="Kurz und gut.", languages=("en",)))
    assert short["language"] is None
    assert short["language_allowed"] is None


def test_findings_are_named_once_and_in_order() -> None:
    text = f"{PAGE.text}{TOKEN}\n{PRIVATE_KEY}\n{TOKEN[:-1]}X\n{CARD} {CARD}"
    found = row(replace(PAGE, text=text))
    assert found["secrets"] == "GitHub Token, Private Key"
    assert found["personal_data"] == "card"


def test_names_count_where_they_are_asked_for() -> None:
    def find_names(text: str) -> list[tuple[int, int]]:
        return [(0, 6)] if "Travel" in text else []

    columns = document_columns(
        [PAGE, replace(PAGE, text=f"{CARD}.")],
        today=TODAY,
        personal_data=("name", "card"),
        find_names=find_names,
    )
    assert columns["personal_data"] == ["name", "card"]
    assert row(PAGE, find_names=find_names)["personal_data"] is None
    with pytest.raises(ValueError, match="find_names"):
        document_columns([PAGE], today=TODAY, personal_data=("name",))


def test_what_takes_no_room_is_not_visible() -> None:
    assert row(replace(PAGE, text=" \u200b\ufeff\t\u00a0\n"))["visible_characters"] == 0
    assert row(replace(PAGE, text="a\u200bb c"))["visible_characters"] == 3


HOSTILE = {
    "nothing": "",
    "lone surrogates": "\ud800 \udfff \ud83d." * 100,
    "null bytes": "\0" * 1_000,
    "one line of 20 MB": "Whoever travels asks first. " * 714_000,
    "letters": "a" * 3_000_000,
    "digits": "4539" * 750_000,
    "spaced digits": "4539 7391 " * 100_000,
    "dashes": "x" + "-" * 2_000_000 + "x",
    "white space": "x" + " \t" * 2_000_000 + "x",
    "quotes nested 100,000 deep": "> " * 100_000 + "x",
    "brackets nested 100,000 deep": "[" * 100_000 + "](" * 100_000,
    "tags": "<" * 1_000_000 + "<a " * 300_000,
    "fences": "```\n" * 300_000,
    "backticks": "`" * 999_999,
    "at signs": "a@" * 1_000_000,
    "addresses": "https://a:b" * 300_000,
    "beginnings of JSON tokens": "eyJ" * 1_000_000,
    "beginnings of keys": "sk-" * 1_000_000 + "T3Bl" + "bkFJ",
    "marks of keys": ("sk-T3Bl" + "bkFJ") * 200_000,
    "words before many spaces": ("ibm_key" + " " * 40) * 50_000,
    "npm addresses": "//" * 500_000 + ("/:_auth" + "Token=") * 50_000,
    "gitlab prefixes": "glagent-" * 500_000,
    "private keys": ("BEGIN RSA PRIVATE" + " KEY ") * 20_000,
    "bidirectional controls": "\u2067\u202a\u202e\u2069" * 200_000,
    "mojibake": "Ã¼" * 500_000,
    "lorem": "lorem ipsum " * 200_000,
    "capitals that grow": "\u0130" * 1_000_000 + TOKEN,
}


# Not timed: what backtracks takes hours here.
@pytest.mark.parametrize("name", HOSTILE)
def test_any_text_is_measured_and_masked(name: str) -> None:
    found = row(replace(PAGE, text=HOSTILE[name]))
    assert found["characters"] == len(HOSTILE[name])
    assert len(masked(HOSTILE[name], personal_data=KINDS)) <= MASKED_CHARACTERS


def test_secret_after_characters_that_change_length_is_found() -> None:
    assert row(replace(PAGE, text=HOSTILE["capitals that grow"]))["secrets"] == "GitHub Token"


def test_excerpt_shows_what_is_around_the_first_finding() -> None:
    text = f"{PROSE * 600}The token {TOKEN} is Anna's, her card {CARD}.\n{PROSE * 200}"
    shown = masked(text, personal_data=KINDS)
    assert "The token [secret] is Anna's, her card [card]." in shown
    assert 300 < len(shown) <= MASKED_CHARACTERS
    assert "her card " + CARD in masked(text, personal_data=())


def test_excerpt_of_a_clean_text_is_its_beginning() -> None:
    assert masked(PAGE.text * 3, personal_data=KINDS) == (PAGE.text * 3)[:MASKED_CHARACTERS].strip()


def test_excerpt_hides_a_whole_private_key() -> None:
    shown = masked(f"{PROSE}{PRIVATE_KEY}\nafter it\n{PROSE}", personal_data=())
    assert shown == f"{PROSE}-----[secret]\nafter it\n{PROSE}".strip()


@pytest.mark.parametrize("shift", range(0, 520, 13))
def test_excerpt_that_ends_within_a_finding_hides_it(shift: int) -> None:
    text = f"{CARD} {'x' * shift} {TOKEN}\n{PRIVATE_KEY}"
    shown = masked(text, personal_data=KINDS)
    assert len(shown) <= MASKED_CHARACTERS
    assert "7Kd92" not in shown
    assert "Q7dK2" not in shown


def test_excerpt_hides_what_overlaps() -> None:
    text = f"{CARD} Anna Kingsson asks."
    shown = masked(
        text, personal_data=("card", "name"), find_names=lambda text: [(10, text.index(" asks"))]
    )
    assert shown == "[card][name] asks."


def test_excerpt_hides_names_where_a_model_is_given() -> None:
    def find_names(text: str) -> list[tuple[int, int]]:
        at = text.find("Anna")
        return [] if at < 0 else [(at, at + 4)]

    text = f"{PROSE * 20}Anna knows. {PROSE}"
    assert "\n[name] knows." in masked(text, personal_data=("name",), find_names=find_names)
    assert "Anna" not in masked(text, personal_data=("name",), find_names=find_names)
