"""Documents that must not be published as they are, made at run time, and forty good ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.records import Vectors
from tests.fakes import HashEncoder

SUBJECTS = (
    "annual leave", "parental leave", "travel expenses", "sick pay", "hiring", "onboarding",
    "laptops", "passwords", "meeting rooms", "procurement", "training budgets", "mentoring",
    "remote work", "office keys", "parking", "pensions", "performance reviews", "open source",
    "incident response", "customer calls",
)  # fmt: skip
PROSE = (
    "People who work here may ask their manager about {about} at any time of the year. The team"
    " that looks after {about} answers within two working days and keeps a record of what was"
    " agreed. When somebody leaves, everything that concerns {about} is handed over before the last"
    " day, and the person who takes over reads this page first. Exceptions are written down here."
)


def good_documents() -> dict[str, str]:
    """Forty of them, by path: each with a text of its own."""
    made = {}
    for number, subject in enumerate(SUBJECTS):
        for part, about in (("rules", f"{subject}"), ("questions", f"questions on {subject}")):
            name = f"good/{subject.replace(' ', '-')}-{part}.md"
            made[name] = f"# {about.capitalize()}\n\n{PROSE.format(about=about)} Page {number}.\n"
    return made


def page(body: str, title: str = "A page") -> str:
    """English prose with something in its middle."""
    return f"# {title}\n\n{PROSE.format(about=title)}\n\n{body}\n\n{PROSE.format(about='this')}\n"


@dataclass(frozen=True)
class Bad:
    """One document and the expectation that it fails; None where it is published and told."""

    kind: str
    data: bytes
    fails: str | None
    warns: str | None = None
    path: str = ""

    @property
    def name(self) -> str:
        return self.path or f"bad/{self.kind.replace(' ', '-')}.md"


GERMAN = (
    "Die Beschäftigten können ihren Urlaub jederzeit bei ihrer Führungskraft beantragen. Der Antrag"
    " wird innerhalb von zwei Arbeitstagen beantwortet, und die Entscheidung wird schriftlich"
    " festgehalten. Wer das Unternehmen verlässt, übergibt alle Unterlagen vor dem letzten Tag."
)
UMLAUTS = "Grüße aus Köln: Übergrößen für Füße, süße Äpfel und schöne Möbel für höhere Gebühren. "
LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut"
    " labore et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco"
    " laboris nisi ut aliquip ex ea commodo consequat."
)
LOGIN = "# Sign in\n\nUsername\n\nPassword\n\nRemember me\n\nForgot your password?\n\nSign in\n"
BOMB = "---\na: &a [x, x, x, x]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b]\n---\n\nText.\n"


def bad_documents() -> list[Bad]:
    """More than twenty-five kinds."""
    key = "AKIA" + "Q3EGRIOR2NVZ4XJH"
    secret = "-----BEGIN RSA " + "PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA" * 4 + "\n-----END RSA "
    card = "-".join(("4929", "1273", "6251", "4" + "110"))
    mangled = (UMLAUTS * 6).encode().decode("cp1252")
    front = "---\n{}\n---\n\n" + page("As said.")
    return [
        Bad("empty", b"", "text_is_not_empty"),
        Bad("white space", b" \n\t\n  \r\n", "text_is_not_empty"),
        Bad("nothing visible", "\u200b\ufeff\u2060\n".encode(), "text_is_not_empty"),
        Bad("null bytes", page("a\0b").encode(), "text_has_no_null_bytes"),
        Bad("latin-1", page("café, naïve").encode("latin-1"), "text_is_utf8"),
        Bad("lone surrogates", page("x").encode() + b"\xed\xa0\x80", "text_is_utf8"),
        Bad("cut inside a character", page("é").encode()[:-1] + b"\xc3", "text_is_utf8"),
        Bad("utf-16", page("x").encode("utf-16"), "text_is_utf8"),
        Bad("mojibake", mangled.encode(), "text_is_decoded_rightly"),
        Bad("lost characters", page("\ufffd" * 20).encode(), "characters_are_not_lost"),
        Bad("control characters", page("a\x08\x1b[2Jb").encode(), "has_no_control_characters"),
        Bad("bidi overrides", page("pay \u202e00001\u202c now \u202e").encode(),
            "has_no_bidi_overrides"),
        Bad("one endless line", b"word " * 10_500_000, "size_is_within_limit"),
        Bad("another format", b"%PDF-1.7", "format_is_known", path="bad/file.pdf"),
        Bad("lorem ipsum", LOREM.encode(), "is_more_than_boilerplate"),
        Bad("login page", LOGIN.encode(), "is_more_than_boilerplate"),
        Bad("error page", b"# 404 Not Found\n\nThe page you requested could not be found.\n",
            "is_more_than_boilerplate"),
        Bad("front matter is not YAML", front.format("title: [unclosed").encode(),
            "front_matter_is_yaml"),
        Bad("front matter is not closed", ("---\nlabels: [a]\n" + "x\n" * 40_000).encode(),
            "front_matter_is_closed"),
        Bad("YAML bomb", BOMB.encode(), "front_matter_is_plain_yaml"),
        Bad("labels that widen", front.format("labels: [board]").encode(), "labels_are_granted"),
        Bad("a domain of others", front.format("domain: finance").encode(), "domain_is_granted"),
        Bad("a date in 2099", front.format("effective: 2099-01-01").encode(),
            "effective_date_is_near"),
        Bad("an API key", page(f"Use the key {key} for it.").encode(), "has_no_secrets"),
        Bad("a private key", page(secret + "PRIVATE KEY-----").encode(), "has_no_secrets"),
        Bad("a card number", page(f"Pay with {card}.").encode(), "has_no_personal_data"),
        Bad("another language", (f"# Urlaub\n\n{GERMAN} {GERMAN}\n").encode(),
            "language_is_allowed"),
        Bad("all vectors equal", _passages("samevector").encode(),
            "texts_have_vectors_of_their_own"),
        Bad("not a number", page("brokenvector").encode(), "vector_is_finite"),
        Bad("wrong dimension", page("shortvector").encode(), "vector_has_dimension"),
        Bad("a constant vector", page("flatvector").encode(), "vector_is_not_constant"),
        Bad("wrong length", page("longvector").encode(), "vector_has_unit_norm"),
        Bad("a copy", good_documents()["good/laptops-rules.md"].encode(), None, "is_not_a_copy"),
        Bad("deep nesting", (page("x") + ">" * 20_000 + " deep\n").encode(), None),
        Bad("deep lists", (page("x") + "".join(
            f"{'  ' * n}- item {n}\n" for n in range(400))).encode(), None),
    ]  # fmt: skip


def _passages(word: str) -> str:
    return "".join(f"# Part {n}\n\n{word} {PROSE.format(about=f'part {n}')}\n\n" for n in range(6))


@dataclass
class FaultyEncoder(HashEncoder):
    """Makes wrong vectors for texts that hold certain words."""

    max_tokens: int = 256
    dimension: int = 32
    faults: bool = field(default=True)

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors: list[Vectors] = list(super().encode(texts))
        for number, text in enumerate(texts if self.faults else ()):
            vectors[number] = self._faulty(text, vectors[number])
        return vectors  # type: ignore[return-value]

    def _faulty(self, text: str, vector: Vectors) -> Vectors:
        if "samevector" in text:
            return self._vector("the very same")
        if "brokenvector" in text:
            return np.full_like(vector, np.nan)
        if "shortvector" in text:
            return vector[:-3]
        if "flatvector" in text:
            return np.full_like(vector, self.dimension**-0.5)
        return vector * 1.5 if "longvector" in text else vector
