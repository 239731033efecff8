"""What pictures are drawn on: SVGs without a screen, that read on light and on dark pages."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (6.8, 2.4)
"""Inches at 100 dots."""
GREY, TEAL, AMBER, RED, BLUE = "#7b8794", "#2b8a8a", "#c98a2b", "#c8503c", "#5b7fc7"
LONGEST = 40
"""Characters of a name: what is longer ends in an ellipsis."""


@contextmanager
def drawn(height: float = SIZE[1]) -> "Iterator[tuple[Figure, Axes]]":
    """A figure without a screen, whose text stays text and whose bytes depend on nothing else."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {  # of a type that lists all of matplotlib's keys
        "svg.fonttype": "none",
        "svg.hashsalt": "staleproof",
        "font.family": "sans-serif",
        "font.size": 9,
        "text.parse_math": False,  # names of other people: a dollar is a dollar
    }
    settings |= dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY
    )
    with mpl.rc_context(settings), warnings.catch_warnings():
        # The text stays text: which letters matplotlib's own font lacks is of no matter.
        warnings.filterwarnings("ignore", message="Glyph")
        figure = Figure(figsize=(SIZE[0], height), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        yield figure, axes


def svg(figure: "Figure") -> str:
    """The figure as the text of an SVG, to be called while it is ``drawn``."""
    written = io.StringIO()
    figure.savefig(
        written, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
    )
    return written.getvalue()


def bars(axes: "Axes", shares: Mapping[str, float], *, colour: str = TEAL) -> None:
    """Lays bars of shares from 0 to 1, the first on top, each with its figure."""
    places = range(len(shares), 0, -1)
    axes.barh(list(places), list(shares.values()), height=0.6, color=colour)
    most = max(0.01, *shares.values())
    for place, share in zip(places, shares.values(), strict=True):
        axes.text(share + most / 100, place, f"{share:.1%}", va="center")
    axes.set_yticks(list(places), [short(name) for name in shares])
    axes.set_xlim(0, most * 1.12)


def short(name: str) -> str:
    """A name as a picture can hold it: what cannot be seen or is no XML is a question mark."""
    seen = "".join(c if c.isprintable() else "?" for c in name)
    return seen if len(seen) <= LONGEST else f"{seen[: LONGEST - 1]}…"
