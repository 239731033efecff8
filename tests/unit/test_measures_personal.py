import pytest
from stdnum import iban, luhn
from stdnum.br import cpf
from stdnum.ch import ssn as ahv
from stdnum.cn import ric
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.kr import rrn
from stdnum.mx import curp

from pipelines.quality.made_up import TEST_CARDS, TEST_IBANS
from pipelines.quality.personal import find_personal

PROSE = "Whoever travels asks the manager first, books the train and keeps the receipts.\n"
DEFAULT = ("card", "iban", "national-id")
ALL = (*DEFAULT, "email", "phone")

# Put together here, so that no number in this file is anybody's.


def card(start: str, length: int = 16) -> str:
    body = (start + "7391048265930")[: length - 1]
    return body + luhn.calc_check_digit(body)


def account(country: str, bban: str) -> str:
    return country + iban.calc_check_digits(f"{country}00{bban}") + bban


def grouped(number: str, *sizes: int, by: str = " ") -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(number[at : at + size])
        at += size
    return by.join(parts)


CARDS = [
    card("4539"),
    grouped(card("4539"), 4, 4, 4, 4),
    grouped(card("5412"), 4, 4, 4, 4, by="-"),
    grouped(card("2305"), 4, 4, 4, 4, by="\u00a0"),
    card("3787", 15),
    grouped(card("3451", 15), 4, 6, 5),
    grouped(card("3628", 14), 4, 6, 4),
    card("6011"),
    card("3571"),
    card("6221"),
]
IBANS = [
    account("DE", "500105175407324931"),
    grouped(account("DE", "500105175407324931"), 4, 4, 4, 4, 4, 2),
    grouped(account("GB", "MIDL40051512349876"), 4, 4, 4, 4, 4, 2),
    account("MT", "MALT011000987345MTLCAST001S"),
    account("AT", "1904300237571201"),
    account("FR", "20041010050500017M02643"),
]


SWISS = "756927391046"
CHINESE = "11010519491231002"
FRENCH = "2690549588157"
ITALIAN = "RCCMNL83S18D969"
MEXICAN = "BOXW310820HNERXN0"
KOREAN = "971013201917"
BRAZILIAN = "231002999"


def identities() -> list[str]:
    swiss = SWISS + ahv.ean.calc_check_digit(SWISS)
    brazilian = BRAZILIAN + cpf._calc_check_digits(BRAZILIAN)
    korean = KOREAN + rrn.calc_check_digit(KOREAN)
    french = FRENCH + nir.calc_check_digits(FRENCH)
    return [
        f"{grouped(swiss, 3, 4, 4, 2, by='.')}",
        f"{grouped(brazilian[:9], 3, 3, 3, by='.')}-{brazilian[9:]}",
        f"{korean[:6]}-{korean[6:]}",
        french,
        grouped(french, 1, 2, 2, 2, 3, 3, 2),
        ITALIAN + codicefiscale.calc_check_digit(ITALIAN),
        MEXICAN + curp.calc_check_digit(MEXICAN + "0"),
        CHINESE + ric.calc_check_digit(CHINESE + "0"),
        "85.07.30-" + "033.28",
        "131052-" + "308T",
        "151086" + " 95088",
    ]


def kinds(text: str, asked: tuple[str, ...] = DEFAULT) -> set[str]:
    return {finding.kind for finding in find_personal(text, asked)}


@pytest.mark.parametrize(
    ("kind", "datum"),
    [
        *[("card", number) for number in CARDS],
        *[("iban", number) for number in IBANS],
        *[("national-id", number) for number in identities()],
        ("national-id", "SSN: 536-90-" + "4399"),
        ("national-id", "Personnummer 19670919-" + "9530"),
        ("national-id", "BSN 1112" + "22333"),
        ("national-id", "PESEL: 02070" + "803628"),
        ("national-id", "Steuer-ID 36 574 " + "261 809"),
        ("national-id", "DNI 54362" + "315K"),
        ("national-id", "Aadhaar 2341 2341 " + "2346"),
        ("national-id", "social insurance number 130 692 " + "544"),
    ],
)
def test_datum_is_found_in_the_middle_of_a_long_page_and_of_an_endless_line(
    kind: str, datum: str
) -> None:
    assert kinds(f"{PROSE * 300}\n| Anna | {datum} |\n\n{PROSE * 300}") == {kind}
    prose = PROSE.replace("\n", " ") * 500
    [finding] = find_personal(f'{prose}"{datum}", {prose}', DEFAULT)
    assert finding.kind == kind
    start = len(prose) + 1
    assert start <= finding.start
    assert finding.end == start + len(datum)


@pytest.mark.parametrize("number", [*CARDS, *IBANS, *identities()])
def test_number_with_a_wrong_digit_is_none(number: str) -> None:
    at = max(i for i, c in enumerate(number) if c.isdigit())
    assert kinds(number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :]) == set()


@pytest.mark.parametrize("number", sorted(TEST_CARDS | TEST_IBANS))
def test_numbers_for_trying_and_examples_do_not_count(number: str) -> None:
    assert luhn.is_valid(number) or iban.is_valid(number)
    assert kinds(f"Pay with {number} to try it.") == set()


@pytest.mark.parametrize(
    "text",
    [
        f"https://shop.acme.com/orders/{CARDS[0]}?card={CARDS[0]}",
        f"[order]({CARDS[0]})",
        f"id_{CARDS[0]} x{CARDS[0]} {CARDS[0]}_1 0.{CARDS[0]} {CARDS[0]}.5 #{CARDS[0]}",
        f"1234 {CARDS[1]}",
        f"{CARDS[1]} 1234",
        "4000 0000 0000 9995",
        "4444 4444 4444 4444",
        "2016 2017 2018 2019 2020 2021 2022 2023",
        "+1 (202) 224-3121, room 1800 F, ZIP 20405-0001, budget code 47100 2016 0012",
        "SSN: 123-45-6789 or 078-05-1120 or 000-12-3456",
        "Ticket 536-90-" + "4399",
        "Build 20170812-1530 of 2017-08-12 15:30, sum 1511234567890",
        "BSN 123456789",
        "commit 4539739104826593 of 0123456789abcdef4539739104826593",
        "123.456.789-" + "09 and 111.111.111-11",
        PROSE * 50,
    ],
)
def test_numbers_of_another_kind_are_not_personal(text: str) -> None:
    assert kinds(text) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to anna.k+hr@agency.gov.", {"email"}),
        ("<mailto:anna@mail.agency.gov>", {"email"}),
        ("Write to anna@example.org, anna@acme.test or @anna.", set()),
        ("Call (202) 555-7391 or 202.224.3121", {"phone"}),
        ("Call +49 30 901820", {"phone"}),
        ("Call 1-800-555-1234 or (800) 333-4636 or 202-555-0123", set()),
        ("2016-12-04 to 2017-01-05, 18.5.2.1, page 100-200-3000", set()),
    ],
)
def test_mail_and_telephone_are_found_only_when_asked_for(text: str, found: set[str]) -> None:
    assert kinds(text, ALL) == found
    assert kinds(text) == set()


def test_only_kinds_asked_for_are_found() -> None:
    text = f"{CARDS[0]} and {IBANS[0]} and {identities()[0]}"
    assert kinds(text) == set(DEFAULT)
    for kind in DEFAULT:
        assert kinds(text, (kind,)) == {kind}
    assert kinds(text, ()) == set()


def test_word_before_a_number_says_what_it_is_only_nearby() -> None:
    assert kinds(f"SSN\n\n{PROSE * 5}536-90-" + "4399") == set()
    assert kinds("name,SSN\nAnna,536-90-" + "4399\nBen,536-90-" + "4398\n") == {"national-id"}
