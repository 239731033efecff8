# ruff: noqa: RUF001 - letters of other languages

import pytest

from pipelines.quality.readable import (
    count_bidi_controls,
    count_controls,
    mojibake_share,
    replacement_share,
)

PAGE = "Whoever travels asks first. Then “Concur” books, and the receipt isn’t lost.\n" * 20
GERMAN = (
    "Für Überstunden gibt es größere Ausgleichstage; das prüft die Führungskraft jährlich.\n" * 5
)
FRENCH = (
    "À l’arrivée, le salarié reçoit ses accès ; où qu’il soit, il les protège à tout prix.\n" * 5
)
POLISH = "Każdy pracownik może wziąć urlop, jeśli przełożony się zgodzi. Źródło: regulamin.\n" * 5
RUSSIAN = "Сотрудник подаёт заявление на отпуск за две недели — и ждёт ответа руководителя.\n" * 5
JAPANESE = "休暇を取る社員は、二週間前までに上司へ申請してください。詳細は「規程」を参照。\n" * 5
ARABIC = "يقدم الموظف طلب الإجازة قبل أسبوعين، ثم ينتظر الموافقة من المدير المباشر.\n" * 5
TREE = (
    "docs/\n├── café.md\n│   └── naïve.md\n└── °C · ½ × 3 ≤ 4 → “ok” © 2024 €5 ¥7 £9 §3 ¶ …\n" * 5
)


@pytest.mark.parametrize("text", [PAGE, GERMAN, FRENCH, POLISH, RUSSIAN, JAPANESE, ARABIC, TREE])
def test_good_text_of_any_language_is_not_mojibake(text: str) -> None:
    assert mojibake_share(text) == 0


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *[(text, "cp1252") for text in (PAGE, GERMAN, FRENCH, POLISH, RUSSIAN, JAPANESE, ARABIC)],
        *[(text, "latin-1") for text in (PAGE, GERMAN, FRENCH, POLISH, RUSSIAN, JAPANESE, ARABIC)],
        *[(text, "mac_roman") for text in (PAGE, GERMAN, FRENCH)],
        *[(text, "cp1251") for text in (PAGE, RUSSIAN)],
    ],
)
def test_wrongly_decoded_text_is_mojibake(text: str, encoding: str) -> None:
    wrong = text.encode("utf-8").decode(encoding, "replace")
    assert mojibake_share(wrong) > 0.005


def test_text_decoded_wrongly_twice_is_mojibake() -> None:
    once = GERMAN.encode().decode("cp1252", "replace")
    assert mojibake_share(once.encode().decode("latin-1")) > 0.01


def test_one_example_of_mojibake_is_none() -> None:
    assert mojibake_share(f"{PAGE}\nIf you see Ã¼ in place of ü, tell us.\n") == 0


def test_lost_characters_are_counted_once() -> None:
    text = "n\u00e9\ufffd " * 20
    assert replacement_share(text) == 20 / 80
    assert mojibake_share(text) == 0
    assert replacement_share("") == 0


def test_controls_are_counted_and_white_space_is_not() -> None:
    assert count_controls("a\tb\nc\fd\u00a0é") == 0
    assert count_controls("a\0b\x1b[31mc\x7f\x85\x9f\r") == 6


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("שלום \u202bעולם\u202c and \u2067עברית\u2069", 0),
        ("if access\u202e\u2066 // Check admin\u2069 \u2066", 2),
        ("\u202eabc\u202c", 1),
        ("\u202dabc", 1),
        ("\u2066open\nnext line", 1),
        ("\u202aopen\u2069 \u202c", 0),
        ("\u2067\u202a\u202a\u2069 closed with two inside", 2),
        ("\u202c\u2069 closes nothing", 0),
        ("\u2066\u2067\u2068\u202a\n\u202b", 5),
        ("plain", 0),
    ],
)
def test_only_overrides_and_what_is_not_closed_count(text: str, count: int) -> None:
    assert count_bidi_controls(text) == count


def test_deep_nesting_of_bidi_controls_is_counted_exactly() -> None:
    n = 100_000
    assert count_bidi_controls("\u2067" * n + "\u2069" * n) == 0
    assert count_bidi_controls("\u202a" * n + "\u2069" * n) == n
    assert count_bidi_controls("\u2067\u202a" * n + "\u2069" * n) == n
