"""A small line of a measure over the last publications, as the geometry of an SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, MARGIN = 160, 32, 4
"""In pixels."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sparkline:
    """What an SVG of ``WIDTH`` x ``HEIGHT`` draws."""

    path: str
    """The ``d`` of one path; empty where there are no two values side by side."""
    dots: tuple[Point, ...]
    """The newest value, and values with a gap on both sides."""
    said: str
    """The same in words, for those who do not see it."""


def sparkline(values: Sequence[float | None], numbers: Sequence[int]) -> Sparkline:
    """Draws a series; a gap in the values is a gap in the line.

    Args:
        values: Oldest first.
        numbers: The publication of each.
    """
    points = _placed(values)
    runs = list(_runs(points))
    path = " ".join(_path(run) for run in runs if len(run) > 1)
    alone = {run[0] for run in runs if len(run) == 1}
    newest = {points[-1]} if points and points[-1] is not None else set()
    return Sparkline(path, tuple(sorted(alone | newest)), _said(values, numbers))


def _placed(values: Sequence[float | None]) -> list[Point | None]:
    known = [value for value in values if value is not None]
    low, high = min(known, default=0), max(known, default=0)
    step = (WIDTH - 2 * MARGIN) / max(len(values) - 1, 1)

    def height(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN), 1)

    return [
        None if value is None else (round(MARGIN + place * step, 1), height(value))
        for place, value in enumerate(values)
    ]


def _runs(points: Sequence[Point | None]) -> Iterator[list[Point]]:
    run: list[Point] = []
    for point in [*points, None]:
        if point is not None:
            run.append(point)
        elif run:
            yield run
            run = []


def _path(run: Sequence[Point]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in run)


def _said(values: Sequence[float | None], numbers: Sequence[int]) -> str:
    known = [(n, value) for n, value in zip(numbers, values, strict=True) if value is not None]
    if len(known) < 2:
        return "no earlier value to compare with"
    low, high = min(value for _, value in known), max(value for _, value in known)
    spread = f"{low:,.6g}" if low == high else f"{low:,.6g} to {high:,.6g}"
    return f"{spread} over {len(known)} publications, #{known[0][0]} to #{known[-1][0]}"
