"""Pictures of a watched model as SVG: evidence, worth, exposure, what moved, the verdicts."""

from collections.abc import Mapping, Sequence
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any

from pipelines.knowledge import LookRow
from pipelines.pages.canvas import AMBER, BLUE, GREY, RED, TEAL, bars, drawn, short, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = ("fresh", "watch", "stale")
FLOOR, CEILING = 1e-3, 1e3
"""Of a threshold: less evidence than that, and more, is drawn here."""
STYLES = ((TEAL, "-"), (BLUE, "--"), (AMBER, "-."), (RED, ":"), (GREY, "-"), (TEAL, ":"))
"""By channel; the dashes say the same as the colours, for those who do not see them."""
MOST_LOOKS = 150
"""Of a curve: a picture does not show more. Looks at which the level turned are always there."""
MOST_DOMAINS = 12
MOST_MOVED = 8


def evidence_picture(looks: Sequence[LookRow]) -> str:
    """The evidence of each channel as a part of what it needs, look by look, on a log scale.

    Args:
        looks: Of one version, oldest first; at least one.
    """
    looks = _thinned(looks)
    with drawn(height=2.8) as (figure, axes):
        for name, (colour, style) in zip(_channels(looks), cycle(STYLES), strict=False):
            points = [(n, part) for n, by in _parts(looks) if (part := by.get(name)) is not None]
            mark = "o" if len(points) == 1 else ""
            axes.plot(*zip(*points, strict=True), style, color=colour, marker=mark, label=name)
        axes.axhline(1, color=RED, linewidth=1)
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(lambda part, _: f"{part:g}")
        axes.set_ylim(FLOOR / 2, 2 * CEILING)
        axes.set_ylabel("part of what it needs")
        _by_look(axes, looks)
        figure.legend(loc="outside right upper", frameon=False)
        return svg(figure)


def worth_picture(looks: Sequence[LookRow]) -> str:
    """Tuned minus base on new questions with its anytime-valid bounds, look by look.

    Args:
        looks: Of one version, oldest first; at least one with a worth.
    """
    looks = _thinned([one for one in looks if one.verdict["worth"]])
    known = [(one.number, *one.verdict["worth"]) for one in looks]
    numbers, means, lower, upper = zip(*known, strict=True)
    with drawn() as (figure, axes):
        axes.fill_between(numbers, lower, upper, color=TEAL, alpha=0.2, linewidth=0)
        axes.plot(numbers, means, color=TEAL, marker="o" if len(known) == 1 else "")
        axes.axhline(0, color=GREY, linewidth=1)
        axes.set_ylabel("tuned minus base")
        _by_look(axes, looks)
        return svg(figure)


def exposure_picture(looks: Sequence[LookRow]) -> str:
    """Which part of what the version learned has changed since, look by look.

    Args:
        looks: Of one version, oldest first; at least one.
    """
    looks = _thinned(looks)
    numbers = [one.number for one in looks]
    with drawn() as (figure, axes):
        values = [one.verdict["exposure"] for one in looks]
        axes.step(numbers, values, where="post", color=TEAL, marker="o" if len(looks) == 1 else "")
        axes.set_ylim(0, max(0.05, 1.1 * max(values)))
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.set_ylabel("exposure")
        _by_look(axes, looks)
        return svg(figure)


def domains_picture(domains: Mapping[str, float]) -> str:
    """Exposure by domain, the largest first.

    Args:
        domains: Domain -> exposure, 0 to 1; at least one.
    """
    ordered = sorted(domains.items(), key=lambda item: (-item[1], item[0]))[:MOST_DOMAINS]
    with drawn(height=0.5 + 0.28 * len(ordered)) as (figure, axes):
        bars(axes, dict(ordered))
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        return svg(figure)


def moved_picture(moved: Sequence[Mapping[str, Any]]) -> str:
    """Bins that hold another share of the items than they used to: then and now.

    Args:
        moved: As ``Moved`` has it, those that moved most first; at least one.
    """
    shown = moved[:MOST_MOVED]
    with drawn(height=0.8 + 0.34 * len(shown)) as (figure, axes):
        places = range(len(shown), 0, -1)
        for place, one in zip(places, shown, strict=True):
            axes.plot([one["then"], one["now"]], [place, place], color=GREY)
        axes.plot([one["then"] for one in shown], places, "|", color=GREY, ms=12, label="then")
        axes.plot([one["now"] for one in shown], places, "o", color=TEAL, label="now")
        axes.set_yticks(list(places), [short(f"{one['channel']} {one['bin']}") for one in shown])
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.set_xlabel("share of the items")
        figure.legend(loc="outside right upper", frameon=False)
        return svg(figure)


def levels_picture(looks: Sequence[LookRow]) -> str:
    """The verdicts, look by look.

    Args:
        looks: Of one version, oldest first; at least one.
    """
    looks = _thinned(looks)
    with drawn(height=1.3) as (figure, axes):
        heights = [LEVELS.index(one.verdict["level"]) for one in looks]
        numbers = [one.number for one in looks]
        axes.step(numbers, heights, where="post", color=TEAL, marker="o" if len(looks) == 1 else "")
        axes.set_yticks(range(len(LEVELS)), LEVELS)
        axes.set_ylim(-0.3, len(LEVELS) - 0.7)
        _by_look(axes, looks)
        return svg(figure)


def _thinned(looks: Sequence[LookRow]) -> list[LookRow]:
    every = max(1, -(-len(looks) // MOST_LOOKS))
    turned = {id(b) for a, b in pairwise(looks) if a.verdict["level"] != b.verdict["level"]}
    last = len(looks) - 1
    return [one for n, one in enumerate(looks) if n % every == 0 or n == last or id(one) in turned]


def _parts(looks: Sequence[LookRow]) -> list[tuple[int, dict[str, float]]]:
    """Look -> channel -> evidence divided by what it needs."""
    return [
        (
            one.number,
            {
                signal["name"]: min(max(signal["evidence"] / signal["threshold"], FLOOR), CEILING)
                for signal in one.verdict["signals"]
            },
        )
        for one in looks
    ]


def _channels(looks: Sequence[LookRow]) -> list[str]:
    return list(dict.fromkeys(name for _, by in _parts(looks) for name in by))


def _by_look(axes: "Axes", looks: Sequence[LookRow]) -> None:
    from matplotlib.ticker import MaxNLocator

    first, last = looks[0], looks[-1]
    axes.set_xlim(first.number - 0.5, last.number + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(f"look, {first.at:%Y-%m-%d} to {last.at:%Y-%m-%d}")
