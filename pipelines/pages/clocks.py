"""The two clocks of every source as an SVG: how old the last scan is, how long a change waits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, SCALE = 680, 170, 310
"""In pixels: the picture, where the bars begin, how long one of ``error_after`` is."""
MOST = 1.15
"""Times ``error_after``: longer bars end here, with an open end."""
ROW = 54
"""In pixels: one source."""
COLOURS = {"ok": "#2b8a8a", "warn": "#c98a2b", "error": "#c8503c", "paused": "#8a94a3"}
"""By state; words say the same, for those who do not see them."""
INK = "#757c88"
"""Reads on light and on dark: nobody tells a picture which of the two its page is."""
SHOWN_SOURCES = 20
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60))


@dataclass(frozen=True, slots=True)
class Clocks:
    """One source; all in seconds."""

    name: str
    state: str
    """ok, warn, error or paused."""
    scan_age: float | None
    """Since the last complete scan; None where there was none."""
    change_age: float | None
    """Since the oldest change that waits was found; None where none waits."""
    warn_after: float
    error_after: float


def lasting(seconds: float) -> str:
    """A length of time in one unit: ``45 s``, ``5 min``, ``30 h``, ``1 d``."""
    for unit, size in _UNITS:
        # Two of a unit, for 1 d may be 26 hours or 47; but what is exactly one is one.
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def clocks_picture(sources: Sequence[Clocks]) -> str:
    """Two bars a source against its own limits; of many sources the first ``SHOWN_SOURCES``.

    Args:
        sources: The worst first, if there are many.
    """
    shown = sources[:SHOWN_SOURCES]
    drawn = "".join(part for place, one in enumerate(shown) for part in _drawn(one, place * ROW))
    height = ROW * len(shown)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        f' viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" fill="{INK}">{drawn}</svg>'
    )


def _drawn(one: Clocks, top: int) -> Iterator[str]:
    colour = COLOURS.get(one.state, INK)
    yield f'<circle cx="5" cy="{top + 13}" r="5" fill="{colour}"/>'
    yield _text(16, top + 17, _short(one.name))
    yield _text(16, top + 33, one.state)
    for y, age, said in (
        (top + 4, one.scan_age, _scanned(one.scan_age)),
        (top + 20, one.change_age, _waits(one.change_age)),
    ):
        share = min(max(age or 0.0, 0.0) / one.error_after, MOST)
        yield _bar(y, MOST, f'fill="{INK}" fill-opacity="0.15"') + _bar(
            y, share, f'fill="{colour}"'
        )
        yield _text(LEFT + SCALE * MOST + 8, y + 10, said)
    # The one on the left, the other on the right of its mark: they may lie close together.
    for word, limit, anchor in (
        ("warn", one.warn_after, "end"),
        ("error", one.error_after, "start"),
    ):
        x = LEFT + SCALE * limit / one.error_after
        yield f'<path d="M{x:.1f} {top + 1}V{top + 35}" stroke="{COLOURS[word]}" stroke-width="2"/>'
        yield _text(x, top + 46, f"{word} {lasting(limit)}", anchor=anchor, size=10)


def _scanned(age: float | None) -> str:
    return "never scanned" if age is None else f"scanned {lasting(age)} ago"


def _waits(age: float | None) -> str:
    return "no change waits" if age is None else f"a change waits {lasting(age)}"


def _bar(y: int, share: float, fill: str) -> str:
    return f'<rect x="{LEFT}" y="{y}" width="{SCALE * share:.1f}" height="12" {fill}/>'


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    printed = "".join(c if c.isprintable() else "?" for c in text)
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}">{escape(printed)}</text>'
