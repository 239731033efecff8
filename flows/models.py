"""The models of a knowledge base on its page: which version serves, how it is, what became of it."""

from typing import TYPE_CHECKING

from flows.links import Links
from flows.markdown import minute, plain, section, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.models import Turn

BUDGETS = {"models": 10_000, "story": 20_000}
"""Bytes of Markdown by part."""
LOOKED = ("fresh", "watch", "stale")


def models_section(turns: "Sequence[Turn]", links: Links) -> str:
    """A line a model that serves, and what happened to all of them, newest first.

    Args:
        turns: What happened, newest first.
        links: Where runs and other pages are.
    """
    serving = [turn for turn in _newest_of_each(turns) if turn.what == "serves"]
    lines = (_serving(turn, turns, links) for turn in serving)
    head = ("model", "version", "since (UTC)", "verdict", "why", "pages")
    told = [
        section("Models", head, lines, len(serving), BUDGETS["models"]),
        section(
            "What became of the models",
            ("when (UTC)", "model", "what", "why"),
            (_turn(turn, links) for turn in turns),
            len(turns),
            BUDGETS["story"],
        ),
    ]
    return "\n\n".join(part for part in told if part)


def _newest_of_each(turns: "Sequence[Turn]") -> "list[Turn]":
    """The newest change of who serves, by model."""
    found: dict[str, Turn] = {}
    for turn in turns:
        if turn.what in ("serves", "taken back"):
            found.setdefault(turn.model, turn)
    return list(found.values())


def _serving(now: "Turn", turns: "Sequence[Turn]", links: Links) -> str:
    looked = (
        turn
        for turn in turns
        if turn.what in LOOKED and (turn.model, turn.version) == (now.model, now.version)
    )
    newest = next(looked, None)
    verdict = f"{newest.what}" if newest else "not looked at yet"
    why = sentence(newest.why) if newest else ""
    cells = (plain(now.model), plain(now.version), minute(now.at), verdict, why)
    return f"| {' | '.join(cells)} | {_pages(now.model, links)} |"


def _pages(model: str, links: Links) -> str:
    kinds = {"evidence": f"drift-{model}", "training": f"evaluation-{model}"}
    pages = {words: links.artifact_page(key) for words, key in kinds.items()}
    return " · ".join(f"[{words}]({page})" for words, page in pages.items() if page)


def _turn(turn: "Turn", links: Links) -> str:
    page = links.flow_run(turn.run, turn.actor or "prefect")
    when = f"[{minute(turn.at)}]({page})" if page else minute(turn.at)
    learned = turn.what not in (*LOOKED, "serves", "taken back")
    from_where = f", learned from #{turn.publication}" if learned and turn.publication else ""
    row = f" in #{turn.publication}" if turn.publication and not learned else ""
    what = f"{plain(turn.version)} {turn.what}{from_where}{row}"
    return f"| {when} | {plain(turn.model)} | {what} | {sentence(turn.why)} |"
