"""Pictures of a training as SVG: how the loss fell, and how well each model answers."""

import io
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (6.8, 2.4)
"""Inches at 100 dots."""
GREY, TEAL = "#7b8794", "#2b8a8a"
MOST_POINTS = 400
"""Of a curve: a picture does not show more."""

Ends = tuple[float, float, float]
"""A mean and the ends of its interval."""


def loss_picture(losses: Sequence[tuple[int, float]]) -> str:
    """The loss by step, as an SVG that reads on light and dark pages.

    Args:
        losses: Step and loss, in order.
    """
    every = max(1, len(losses) // MOST_POINTS)
    shown = [*losses[::every], *losses[-1:]]
    with _drawn() as (figure, axes):
        axes.plot([step for step, _ in shown], [loss for _, loss in shown], color=TEAL)
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        axes.set_ylim(bottom=0)
        return _svg(figure)


def scores_picture(scores: Mapping[str, Mapping[str, Ends]], measure: str) -> str:
    """Means with their intervals, by kind of questions and model.

    Args:
        scores: Kind of questions -> model -> mean, lower and upper end.
        measure: What it is that is measured, from 0 to 1.
    """
    rows = [(f"{kind}: {model}", ends) for kind, by in scores.items() for model, ends in by.items()]
    with _drawn(height=0.7 + 0.32 * len(rows)) as (figure, axes):
        places = range(len(rows), 0, -1)
        for place, (_, (mean, lower, upper)) in zip(places, rows, strict=True):
            axes.plot([lower, upper], [place, place], color=GREY)
            axes.plot([mean], [place], "o", color=TEAL)
        axes.set_yticks(list(places), [name for name, _ in rows])
        axes.set_xlim(0, 1)
        axes.set_xlabel(measure)
        return _svg(figure)


@contextmanager
def _drawn(height: float = SIZE[1]) -> "Iterator[tuple[Figure, Axes]]":
    """A figure without a screen, whose text stays text and whose bytes depend on nothing else."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {  # of a type that lists all of matplotlib's keys
        "svg.fonttype": "none",
        "svg.hashsalt": "staleproof",
        "font.family": "sans-serif",
        "font.size": 9,
    }
    settings |= dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY
    )
    with mpl.rc_context(settings):
        figure = Figure(figsize=(SIZE[0], height), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        yield figure, axes


def _svg(figure: "Figure") -> str:
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return drawn.getvalue()
