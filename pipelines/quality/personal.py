"""Personal data in a text: patterns, and checksums that they must satisfy."""

import functools
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from pipelines.quality.findings import Finding
from pipelines.quality.made_up import TEST_CARDS, TEST_IBANS, TEST_RANGE, looks_made_up

CARD = "card"
IBAN = "iban"
NATIONAL_ID = "national-id"
EMAIL = "email"
PHONE = "phone"

_REACH = 48
"""Characters before and after many digits in which the rest of a number may stand."""
_WORD_REACH = 200
"""Characters before and after a number in which the word may stand that says what it is."""

# Numbers with no word or sign of an address touching them.
_BEFORE = r"(?<![\w/#+@-])(?<![0-9][.,:])"
_AFTER = r"(?![\w@/]|-[0-9]|[.,:][0-9])"
_SPACE = "[ \u00a0-]?"

_ADDRESS = re.compile(r"(?:https?://|www\.|\]\()[^\s)>\]\"']+")
_ENDLESS = re.compile(r"[0-9]{40,}")
_DIGITS = re.compile(r"[0-9](?:[^0-9\n]{0,3}[0-9]){5,}")

_CARD = re.compile(
    rf"{_BEFORE}(?<![0-9]{{4}} )(?:"
    rf"[2-6][0-9]{{3}}({_SPACE})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}(?:\1[0-9]{{3}})?"
    rf"|3[0-9]{{3}}({_SPACE})[0-9]{{6}}\2[0-9]{{4,5}})(?! [0-9]{{4}}\b){_AFTER}"
)
_NETWORKS = re.compile(
    r"4[0-9]{15}"  # Visa; the 13 digits of old are not looked for
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}"
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12}"
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11}"
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|62[0-9]{14}(?:[0-9]{3})?"
)

_IBAN = re.compile(
    rf"{_BEFORE}[A-Z]{{2}}[0-9]{{2}}(?: ?[A-Z0-9]{{4}}){{2,7}}(?: ?[A-Z0-9]{{1,3}})?{_AFTER}"
)
_LOCAL = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-"
_EMAIL = re.compile(
    r"(?<=[A-Za-z0-9_+-])@((?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})(?![A-Za-z0-9-])"
)
_NO_EMAIL = re.compile(r"(?i)(?:.*\.)?(?:example\.(?:com|org|net|edu)|(?:test|invalid|example))")
_PHONE = re.compile(
    r"(?<![\w+/=.-])(?:"
    r"\+[1-9](?:[ ().\u00a0-]{0,2}[0-9]){7,14}"
    r"|(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])[2-9][0-9]{2}[-. ][0-9]{4}"
    r")(?![\w-])"
)
_NO_PHONE = re.compile(r"1?(?:8(?:00|33|44|55|66|77|88)[0-9]{7}|[0-9]{3}55501[0-9]{2})")
"""Free of charge, or set aside for films."""

_Find = Callable[[str, int, int], Iterator[Finding]]
"""Looks between two offsets of a text."""


@dataclass(frozen=True, slots=True)
class _Identity:
    """One country's number for a person."""

    module: str
    """Of python-stdnum, which knows its checksum and dates."""
    pattern: str
    words: tuple[str, ...] = ()
    """In lower case; one of these must stand nearby, where the number looks like many others."""


_IDENTITIES = (
    _Identity("be.nn", r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}"),
    _Identity("br.cpf", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
    _Identity("ch.ssn", r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}"),
    _Identity("cn.ric", r"[1-9][0-9]{5}(?:19|20)[0-9]{9}[0-9X]"),
    _Identity("fi.hetu", r"[0-9]{6}(?:[A-F][0-9]{3}[0-9A-Y]|[-+][0-9]{3}[A-Y])"),
    _Identity(
        "fr.nir",
        r"[12] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
    ),
    _Identity("it.codicefiscale", r"[A-Z]{6}[0-9]{2}[A-EHLMPR-T][0-9]{2}[A-Z][0-9]{3}[A-Z]"),
    _Identity("kr.rrn", r"[0-9]{6}-[1-8][0-9]{6}"),
    _Identity("mx.curp", r"[A-Z]{4}[0-9]{6}[HM][A-Z]{5}[A-Z0-9][0-9]"),
    _Identity("no.fodselsnummer", r"[0-9]{6} ?[0-9]{5}"),
    _Identity(
        "ca.sin",
        r"[1-9][0-9]{2}[ -][0-9]{3}[ -][0-9]{3}",
        ("social insurance", "assurance sociale"),
    ),
    _Identity(
        "de.idnr",
        r"[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        ("steuer-id", "steuerid", "steuerliche", "identifikationsnummer", "idnr", "tax id"),
    ),
    _Identity("es.nif", r"(?:[0-9]{8}|[XYZ][0-9]{7})-?[A-Z]", ("dni", "nif", "extranjero")),
    _Identity(
        "in_.aadhaar", r"[2-9][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}", ("aadhaar", "aadhar", "uidai")
    ),
    _Identity("nl.bsn", r"[0-9]{9}", ("bsn", "burgerservicenummer", "sofinummer")),
    _Identity("pl.pesel", r"[0-9]{11}", ("pesel",)),
    _Identity(
        "se.personnummer",
        r"[0-9]{6}(?:[0-9]{2})?[-+][0-9]{4}",
        ("personnummer", "personal identity number"),
    ),
    _Identity("us.ssn", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", ("ssn", "ssns", "social security")),
    _Identity("za.idnr", r"[0-9]{13}", ("id number", "identity number", "id no")),
)
"""Most have a checksum. Those whose shape is common (and the American one, which has no checksum)
count only near a word that names them."""


def find_personal(text: str, kinds: Collection[str]) -> Iterator[Finding]:
    """Personal data of the kinds asked for, in no order.

    Numbers in addresses of pages are not looked at, nor those that cannot belong to anyone: test
    cards of payment providers, examples of the registry of IBANs, 12345678 and the like, domains
    set aside for examples, free-of-charge telephone numbers.
    """
    if EMAIL in kinds:
        yield from _emails(text)
    if not set(kinds) & {CARD, IBAN, NATIONAL_ID, PHONE}:
        return
    blanked = _blank(_ENDLESS, _blank(_ADDRESS, text))
    runs = list(_digit_runs(blanked))
    finders = _finders(blanked, kinds) if runs else []
    for start, end in runs:
        for find in finders:
            yield from find(blanked, start, end)


def _blank(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda match: " " * len(match[0]), text)


def _finders(text: str, kinds: Collection[str]) -> list[_Find]:
    """What looks for each kind; identities whose words the text lacks are not among them."""
    lowered = text.lower()
    in_play = [i for i in _IDENTITIES if not i.words or any(w in lowered for w in i.words)]
    finders: dict[str, _Find] = {
        CARD: _cards,
        IBAN: _ibans,
        NATIONAL_ID: functools.partial(_identity_numbers, in_play),
        PHONE: _phones,
    }
    return [find for kind, find in finders.items() if kind in kinds]


def _digit_runs(text: str) -> Iterator[tuple[int, int]]:
    """Spans in which six digits or more stand close to each other, with what is around them."""
    begin, end = 0, -1
    for match in _DIGITS.finditer(text):
        start = max(match.start() - _REACH, 0)
        if start > end:
            if end >= 0:
                yield begin, end
            begin = start
        end = match.end() + _REACH
    if end >= 0:
        yield begin, end


def _cards(text: str, start: int, end: int) -> Iterator[Finding]:
    from stdnum import luhn

    for match in _CARD.finditer(text, start, end):
        number = re.sub("[^0-9]", "", match[0])
        known = number in TEST_CARDS or number.startswith(TEST_RANGE) or looks_made_up(number)
        if not known and _NETWORKS.fullmatch(number) and luhn.is_valid(number):
            yield Finding(match.start(), match.end(), CARD)


def _ibans(text: str, start: int, end: int) -> Iterator[Finding]:
    from stdnum import iban

    for match in _IBAN.finditer(text, start, end):
        for last in (match.end(), text.rfind(" ", match.start(), match.end())):
            number = text[match.start() : last].replace(" ", "")
            if number not in TEST_IBANS and len(number) >= 15 and iban.is_valid(number):
                yield Finding(match.start(), last, IBAN)
                break


def _identity_numbers(
    identities: Sequence[_Identity], text: str, start: int, end: int
) -> Iterator[Finding]:
    for identity in identities:
        number, words, is_valid = _compiled(identity)
        for match in number.finditer(text, start, end):
            near = text[max(match.start() - _WORD_REACH, 0) : match.end() + _WORD_REACH]
            made_up = looks_made_up(re.sub(r"\W", "", match[0]))
            if not made_up and is_valid(match[0]) and (words is None or words.search(near)):
                yield Finding(match.start(), match.end(), NATIONAL_ID)


@functools.cache
def _compiled(
    identity: _Identity,
) -> tuple[re.Pattern[str], re.Pattern[str] | None, Callable[[str], bool]]:
    words = "|".join(map(re.escape, identity.words))
    return (
        re.compile(f"{_BEFORE}{identity.pattern}{_AFTER}"),
        re.compile(rf"(?i)\b(?:{words})\b") if words else None,
        import_module(f"stdnum.{identity.module}").is_valid,
    )


def _emails(text: str) -> Iterator[Finding]:
    for match in _EMAIL.finditer(text):
        before = text[max(match.start() - 64, 0) : match.start()]
        start = match.start() - len(before) + len(before.rstrip(_LOCAL))
        if not _NO_EMAIL.fullmatch(match[1]):
            yield Finding(start, match.end(), EMAIL)


def _phones(text: str, start: int, end: int) -> Iterator[Finding]:
    for match in _PHONE.finditer(text, start, end):
        digits = re.sub("[^0-9]", "", match[0])
        if not _NO_PHONE.fullmatch(digits) and not looks_made_up(digits):
            yield Finding(match.start(), match.end(), PHONE)
