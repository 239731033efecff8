"""Pictures of a training as SVG: how the loss fell, and how well each model answers."""

from collections.abc import Mapping, Sequence

from pipelines.pages.canvas import GREY, TEAL, drawn, svg

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
    with drawn() as (figure, axes):
        axes.plot([step for step, _ in shown], [loss for _, loss in shown], color=TEAL)
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        axes.set_ylim(bottom=0)
        return svg(figure)


def scores_picture(scores: Mapping[str, Mapping[str, Ends]], measure: str) -> str:
    """Means with their intervals, by kind of questions and model.

    Args:
        scores: Kind of questions -> model -> mean, lower and upper end.
        measure: What it is that is measured, from 0 to 1.
    """
    rows = [(f"{kind}: {model}", ends) for kind, by in scores.items() for model, ends in by.items()]
    with drawn(height=0.7 + 0.32 * len(rows)) as (figure, axes):
        places = range(len(rows), 0, -1)
        for place, (_, (mean, lower, upper)) in zip(places, rows, strict=True):
            axes.plot([lower, upper], [place, place], color=GREY)
            axes.plot([mean], [place], "o", color=TEAL)
        axes.set_yticks(list(places), [name for name, _ in rows])
        axes.set_xlim(0, 1)
        axes.set_xlabel(measure)
        return svg(figure)
