"""One watched version as one page: is it still worth having, and what says so."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.knowledge import LookRow
from pipelines.pages.evidence import (
    domains_picture,
    evidence_picture,
    exposure_picture,
    levels_picture,
    moved_picture,
    worth_picture,
)
from pipelines.pages.html import moment, number, picture, rendered

MOST_ASKED = 50
"""Documents that a page names of those that a generator was asked about."""
WORDS = {
    "fresh": "Fresh: nothing says that it should be trained again.",
    "watch": "Watch: worth a look, but nothing says that it has become worse.",
    "stale": "Stale: it should be trained again, or taken back.",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG and what it shows, in words."""

    key: str
    """evidence, worth, exposure, domains, moved or verdicts."""
    title: str
    svg: str

    @property
    def address(self) -> str:
        """For the ``src`` of an image; the picture lies in it."""
        return picture(self.svg)


def watch_page(looks: Sequence[LookRow], *, knowledge: str) -> str:
    """A page of HTML that asks nothing of any server: styles and pictures inside, no scripts.

    It names uris, and no text of a document or of a question.

    Args:
        looks: The kept looks at one version, oldest first; at least one.
        knowledge: Name of the knowledge base.
    """
    last = looks[-1]
    exposure, moved = newest_exposure(looks), newest_moved(looks)
    return rendered(
        "watch.html",
        pictures=True,
        knowledge=knowledge,
        look=last,
        verdict=last.verdict,
        sentence=WORDS[last.verdict["level"]],
        at=moment(last.at),
        pictures_by={one.key: one for one in watch_pictures(looks)},
        exposure=exposure,
        moved=moved,
        held=asked_about(looks)[:MOST_ASKED],
        turns=[(one, moment(one.at)) for one in reversed(transitions(looks))],
        number=number,
        chance=false_calls(last),
    )


def watch_pictures(looks: Sequence[LookRow]) -> list[Picture]:
    """All pictures that there is something to draw for, in the order in which a page has them.

    Args:
        looks: The kept looks at one version, oldest first; at least one.
    """
    return [Picture(key, title, draw()) for key, title, draw in _drawable(looks)]


def transitions(looks: Sequence[LookRow]) -> list[LookRow]:
    """The first look, and each whose level is another than the one before."""
    before = [None, *(one.verdict["level"] for one in looks)]
    return [one for one, level in zip(looks, before, strict=False) if one.verdict["level"] != level]


def newest_exposure(looks: Sequence[LookRow]) -> dict[str, Any] | None:
    """As ``Exposure`` has it: of the newest look that counted it, for it stands until the next."""
    return next((seen for one in reversed(looks) if (seen := one.observation["exposure"])), None)


def newest_moved(looks: Sequence[LookRow]) -> list[dict[str, Any]]:
    """As ``Moved`` has it: of the newest look that saw something move."""
    found: list[list[dict[str, Any]]] = [one.observation["moved"] for one in reversed(looks)]
    return next((moved for moved in found if moved), [])


def asked_about(looks: Sequence[LookRow]) -> list[dict[str, Any]]:
    """As ``Held`` has it, of all looks together: those answered as before most often first."""
    found: dict[str, dict[str, Any]] = {}
    for one in looks:
        # A look that was kept before there were generators has none.
        for held in one.observation.get("held", ()):
            known = found.setdefault(held["uri"], {**held, "facts": 0, "as_before": 0})
            known["facts"] += held["facts"]
            known["as_before"] += held["as_before"]
            known["memory"] = known["memory"] if held["memory"] is None else held["memory"]
    return sorted(found.values(), key=lambda one: (-one["as_before"], -one["facts"], one["uri"]))


def false_calls(look: LookRow) -> float:
    """The chance that any channel ever reaches its threshold for a version if nothing moves."""
    return float(sum(1 / signal["threshold"] for signal in look.verdict["signals"]))


def _drawable(looks: Sequence[LookRow]) -> "Iterator[tuple[str, str, Callable[[], str]]]":
    if any(one.verdict["signals"] for one in looks):
        yield "evidence", "Evidence of each channel", lambda: evidence_picture(looks)
    if any(one.verdict["worth"] for one in looks):
        yield "worth", "Tuned minus base on new questions", lambda: worth_picture(looks)
    exposure = newest_exposure(looks)
    if exposure:
        yield "exposure", "Exposure by look", lambda: exposure_picture(looks)
    if exposure and (domains := exposure["domains"]):
        yield "domains", "Exposure by domain", lambda: domains_picture(domains)
    if moved := newest_moved(looks):
        yield "moved", "What moved: shares then and now", lambda: moved_picture(moved)
    yield "verdicts", "Verdict by look", lambda: levels_picture(looks)
