"""Markdown and SVG for the pages of Prefect, safe for whatever names other people give."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

OPEN_ROWS = 15
"""Rows of a table that are seen without unfolding."""
LONGEST = 160
"""Characters of a name that are shown."""
COLOURS = ("#7b8794", "#a0aec0", "#2b8a8a", "#4c6fbf", "#c98a2b", "#7d5ba6")


def plain(text: str) -> str:
    """Text that Markdown and HTML take for text, in one line; names come from other people."""
    short = text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"
    printed = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in short)
    harmless = "".join(c if c.isalnum() or c in " /.-,…" else f"&#{ord(c)};" for c in printed)
    return re.sub(r"(?i)(www)\.", r"\1&#46;", harmless)  # that alone would begin a link


def code(text: str) -> str:
    """The same, in the type of names."""
    return f"<code>{plain(text)}</code>"


def sentence(text: str) -> str:
    """The same for prose, where the words may be long, not the whole."""
    return " ".join(plain(word) for word in text[:1000].split(" "))


def minute(at: datetime) -> str:
    """A time in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def table(head: Sequence[str], lines: Iterable[str], total: int, budget: int) -> str:
    """A table; what is long is folded, what does not fit into ``budget`` bytes is counted.

    Args:
        head: Titles of the columns.
        lines: The rows, made one by one: those that do not fit are not.
        total: How many rows there are.
        budget: Bytes for the rows.
    """
    top = f"| {' | '.join(head)} |\n|{'---|' * len(head)}"
    shown = within(lines, budget)
    text = "\n".join([top, *shown[:OPEN_ROWS]])
    if len(shown) > OPEN_ROWS:
        more = "\n".join([top, *shown[OPEN_ROWS:]])
        title = f"{len(shown) - OPEN_ROWS:,} more"
        text += f"\n\n<details><summary>{title}</summary>\n\n{more}\n\n</details>"
    left_out = total - len(shown)
    return f"{text}\n\n{left_out:,} more are not listed here." if left_out else text


def section(title: str, head: Sequence[str], lines: Iterable[str], total: int, budget: int) -> str:
    """A table under a heading; nothing where it would have no row. Takes what ``table`` takes."""
    return f"## {title}\n\n{table(head, lines, total, budget)}" if total else ""


def within(lines: Iterable[str], budget: int) -> list[str]:
    """As many of the first lines as fit into so many bytes."""
    shown = []
    for line in lines:
        budget -= len(line.encode()) + 1
        if budget < 0:
            break
        shown.append(line)
    return shown


def stage_bar(seconds: Mapping[str, float]) -> str:
    """Seconds by stage as one bar, an SVG of 680 x 56 that reads on light and dark pages."""
    stages = {name: took for name, took in seconds.items() if name != "total"}
    total, at, drawn = sum(stages.values()) or 1.0, 0.0, []
    for place, ((name, took), colour) in enumerate(zip(stages.items(), COLOURS, strict=False)):
        width = 680 * took / total
        drawn.append(f'<rect x="{at:.1f}" y="0" width="{width:.1f}" height="22" fill="{colour}"/>')
        x = place * 113
        drawn.append(f'<rect x="{x}" y="36" width="10" height="10" fill="{colour}"/>')
        drawn.append(f'<text x="{x + 15}" y="45">{plain(name)} {took:.2f} s</text>')
        at += width
    style = 'font-family="sans-serif" font-size="12" fill="#7b8794"'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="680" height="56" viewBox="0 0 680 56"'
        f" {style}>{''.join(drawn)}</svg>"
    )
