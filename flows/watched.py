"""What was found of a watched model, as the artifact ``drift-<model>``: evidence, never a text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flows.links import Links, find_links
from flows.markdown import code, minute, plain, section, sentence, table
from pipelines.pages import (
    Picture,
    asked_about,
    newest_exposure,
    newest_moved,
    transitions,
    watch_pictures,
)

if TYPE_CHECKING:
    from pipelines.config import Config
    from pipelines.knowledge import LookRow
    from pipelines.watch import Watched

BUDGETS = {"signals": 8_000, "documents": 12_000, "held": 12_000, "moved": 8_000, "turns": 20_000}
"""Bytes of Markdown by part: the server hands out artifacts whole, in every list."""
MOST_BYTES = 180_000
"""Of the whole: pictures that do not fit are left out."""
MOST_REASONS = 20


def watched_page(watched: "Watched", knowledge: str, links: Links) -> str:
    """One version as Markdown: the verdict and why, pictures, what moved, how it went on.

    Args:
        watched: What a watch found; it was looked at before.
        knowledge: Name of the knowledge base.
        links: Where runs and other pages are.
    """
    looks, verdict = watched.history, watched.history[-1].verdict
    exposure = newest_exposure(looks)
    parts = [
        f"# {plain(watched.model)} {plain(watched.version or '')}: {verdict['level']}",
        _list(verdict["reasons"]),
        f"**For the next level**\n\n{_list(verdict['next'])}" if verdict["next"] else "",
        _ways(watched.model, knowledge, links),
        _signals(verdict),
        _exposed(exposure) if exposure else "",
        _held(asked_about(looks)),
        _moved(newest_moved(looks)),
        _turns(looks, links),
        f"{len(looks):,} looks, the last one at {minute(looks[-1].at)} UTC on #{looks[-1].publication}.",
    ]
    text = "\n\n".join(part for part in parts if part)
    room = MOST_BYTES - len(text.encode())
    head, _, rest = text.partition("\n\n## ")
    drawn = list(_fitting(watch_pictures(looks), room))
    return "\n\n".join([head, *drawn, f"## {rest}"]) + "\n"


def _fitting(pictures: Sequence[Picture], room: int) -> Iterator[str]:
    for one in pictures:
        shown = f"![{one.title}]({one.address})"
        room -= len(shown)
        if room > 0:
            yield shown


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {sentence(one)}" for one in sentences[:MOST_REASONS])


def _ways(model: str, knowledge: str, links: Links) -> str:
    """What follows from it, and where that is seen."""
    again = {"model": model, "scheduled": False}
    ways = [
        ("overview", links.artifact_page(f"knowledge-{knowledge}")),
        ("what training came to", links.artifact_page(f"evaluation-{model}")),
        ("train it again", links.run_form(f"retrain/{knowledge}", again)),
        ("take it back", links.decision(knowledge, "demote", model)),
    ]
    return " · ".join(f"[{words}]({address})" for words, address in ways if address)


def _signals(verdict: Mapping[str, Any]) -> str:
    signals = verdict["signals"]
    lines = (
        f"| {plain(one['name'])} | {one['items']:,}"
        f" | {one['evidence']:,.3g} | {one['threshold']:,.3g} | {_effect(one)}"
        f" | {sentence(one['says'])} |"
        for one in signals
    )
    head = ("what", "items", "evidence", "needed", "moved by", "says")
    return section("Evidence", head, lines, len(signals), BUDGETS["signals"])


def _effect(signal: Mapping[str, Any]) -> str:
    if signal["effect"] is None:
        return ""
    bounds = ""
    if signal["lower"] is not None and signal["upper"] is not None:
        bounds = f" [{signal['lower']:+.3f}, {signal['upper']:+.3f}]"
    return f"{signal['effect']:+.3f}{bounds}"


def _exposed(exposure: Mapping[str, Any]) -> str:
    """Which documents that it learned from are no longer as they were."""
    documents = exposure["documents"]
    lines = (
        f"| {code(one['uri'])} | {plain(one['domain'])} | {plain(one['what'])}"
        f" | {one['examples']:,} | {one['share']:.0%} |"
        for one in documents
    )
    said = (
        f"## Exposure {exposure['value']:.3f}\n\n{exposure['affected']:,} of"
        f" {exposure['examples']:,} examples rest on documents that have changed since."
    )
    withdrawn = exposure["withdrawn"]
    if withdrawn:
        named = ", ".join(code(uri) for uri in withdrawn[:MOST_REASONS])
        said += f" {len(withdrawn):,} may not be learned from today: {named}."
    if not documents:
        return said
    head = ("document", "domain", "what", "examples", "of the exposure")
    return f"{said}\n\n{table(head, lines, len(documents), BUDGETS['documents'])}"


def _held(held: Sequence[Mapping[str, Any]]) -> str:
    """What a generator was asked about the facts that changed."""
    lines = (
        f"| {code(one['uri'])} | {plain(one['domain'])} | {one['facts']:,} | {one['as_before']:,}"
        f" | {'' if one['memory'] is None else format(one['memory'], '+.2f')} |"
        for one in held
    )
    head = ("document", "domain", "changed facts", "answered as before", "nats for former values")
    return section("Facts that changed", head, lines, len(held), BUDGETS["held"])


def _moved(moved: Sequence[Mapping[str, Any]]) -> str:
    lines = (
        f"| {plain(one['channel'])} | {one['bin']}"
        f" | {one['then']:.1%} | {one['now']:.1%}"
        f" | {', '.join(code(uri) for uri in one['documents'])} |"
        for one in moved
    )
    head = ("what", "group", "before", "now", "documents that it leads to")
    return section("What moved", head, lines, len(moved), BUDGETS["moved"])


def _turns(looks: "Sequence[LookRow]", links: Links) -> str:
    found = transitions(looks)[::-1]
    lines = (
        f"| {_when(one, links)} | #{one.publication} | {one.verdict['level']}"
        f" | {sentence('; '.join(one.verdict['reasons']))} |"
        for one in found
    )
    head = ("when (UTC)", "publication", "verdict", "why")
    return section("How the verdict turned", head, lines, len(found), BUDGETS["turns"])


def _when(look: "LookRow", links: Links) -> str:
    page = links.flow_run(look.look, "prefect")
    return f"[{minute(look.at)}]({page})" if page else minute(look.at)


async def show_watched(watched: "Watched", config: "Config") -> None:
    """Keeps ``drift-<model>``; a new version only of a look that saw something."""
    from prefect.artifacts import acreate_markdown_artifact

    if not watched.history or (watched.happened is None and not watched.changed):
        return
    links = await find_links(config.knowledge.name, [watched.model])
    text = watched_page(watched, config.knowledge.name, links)
    said = f"{watched.version}: {watched.history[-1].verdict['level']}"
    await acreate_markdown_artifact(text, key=f"drift-{watched.model}", description=said)
