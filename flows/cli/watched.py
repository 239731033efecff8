"""Shows what a watch found: verdicts, what says so, and what other policies would have said."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from flows.cli.render import table_of
from flows.cli.versions import VERDICT_STYLES
from flows.cli.words import counted

SHOWN_DOCUMENTS = 20


def show_watched(console: Console, data: dict[str, Any], now: datetime) -> None:
    """A line a model, then what was seen, and why it is not fresh or cannot be judged yet."""
    del now
    if not data["models"]:
        console.print("The configuration names no model. README.md, Retraining, says how.")
        return
    _table(console, data["models"])
    for one in data["models"]:
        console.print(Text(f"\n{_name(one)}: {one['said']}"), soft_wrap=True)
        for reason in one["reasons"]:
            console.print(f"  {reason}", soft_wrap=True)
    _written(console, data)


def _table(console: Console, models: list[dict[str, Any]]) -> None:
    numbers = ("exposure", "looks")
    table = table_of("model", "version", "verdict", "exposure", "worth", "looks", right=numbers)
    for one in models:
        table.add_row(
            one["model"],
            one["version"] or "-",
            level(one["verdict"]),
            "-" if one["exposure"] is None else f"{one['exposure']:.3f}",
            bounds(one["worth"]),
            f"{one['looks']:,}" if one["looks"] else "-",
        )
    console.print(table)


def level(word: str | None) -> Text:
    """A verdict in its colour."""
    return Text(word or "-", VERDICT_STYLES.get(word or "", "dim"))


def bounds(worth: list[float] | None) -> str:
    """A mean and its anytime-valid bounds; a dash where nothing is known."""
    if worth is None:
        return "-"
    mean, lower, upper = worth
    return f"{mean:+.3f} [{lower:+.3f}, {upper:+.3f}]"


def _name(one: Mapping[str, Any]) -> str:
    return f"{one['model']} {one['version']}" if one["version"] else str(one["model"])


def _written(console: Console, data: Mapping[str, Any]) -> None:
    if data["page"]:
        console.print(f"wrote  {data['page']}", soft_wrap=True)


def show_explained(console: Console, data: dict[str, Any], now: datetime) -> None:
    """The same, and with each model channels, domains, documents, and what the next level takes."""
    show_watched(console, data | {"page": None}, now)
    for one in data["models"]:
        if one["verdict"] is None:
            continue
        console.print(Text(f"\n{_name(one)}", "bold"))
        _signals(console, one["signals"])
        _exposed(console, one["exposed"], one["titles"])
        _held(console, one["held"], one["titles"])
        _moved(console, one["moved"], one["titles"])
        console.print("\nIt would become")
        for sentence in one["next"]:
            console.print(f"  {sentence}", soft_wrap=True)
    _written(console, data)


def _signals(console: Console, signals: list[dict[str, Any]]) -> None:
    if not signals:
        return
    numbers = ("items", "evidence", "needed", "moved")
    table = table_of("what", *numbers, "says", right=numbers)
    for one in signals:
        table.add_row(
            one["name"],
            f"{one['items']:,}",
            f"{one['evidence']:,.3g}",
            f"{one['threshold']:,.3g}",
            "-" if one["effect"] is None else f"{one['effect']:+.3f}",
            one["says"],
        )
    console.print(table)


def _exposed(console: Console, exposed: dict[str, Any] | None, titles: Mapping[str, str]) -> None:
    """Where what it learned is no longer as it was."""
    if exposed is None:
        return
    for uri in exposed["withdrawn"]:
        console.print(Text(f"  {uri}  may not be learned from today", "red"), soft_wrap=True)
    for domain, value in sorted(exposed["domains"].items(), key=lambda pair: -pair[1]):
        console.print(f"domain {domain}: exposure {value:.3f}", soft_wrap=True)
    documents = exposed["documents"]
    if documents:
        console.print(
            f"\n{counted(exposed['affected'], 'example')} of {exposed['examples']:,} rest on"
            " documents that changed:"
        )
    for one in documents[:SHOWN_DOCUMENTS]:
        share = f"{one['share']:.0%} of it"
        told = f"  {_named(one['uri'], titles)}  {one['what']}, {counted(one['examples'], 'example')}, {share}"
        console.print(told, soft_wrap=True)


def _held(console: Console, held: list[dict[str, Any]], titles: Mapping[str, str]) -> None:
    """Documents whose facts changed, and how a generator answered them."""
    if not held:
        return
    facts, as_before = (sum(one[key] for one in held) for key in ("facts", "as_before"))
    console.print(
        f"\nAsked about {counted(facts, 'changed fact')} with today's passage, it answered"
        f" {as_before:,} as before:"
    )
    for one in held[:SHOWN_DOCUMENTS]:
        told = f"  {_named(one['uri'], titles)}  {one['as_before']:,} of {one['facts']:,} as before"
        if one["memory"] is not None:
            told += f", {one['memory']:+.2f} nats a token for former values over its base"
        console.print(told, soft_wrap=True)
    if len(held) > SHOWN_DOCUMENTS:
        console.print(f"  and {len(held) - SHOWN_DOCUMENTS:,} more documents")


def _named(uri: str, titles: Mapping[str, str]) -> str:
    return f"{uri} ({titles[uri]})" if titles.get(uri) else uri


def _moved(console: Console, moved: list[dict[str, Any]], titles: Mapping[str, str]) -> None:
    """Groups of questions or changes that are asked for, or happen, more or less than before."""
    if not moved:
        return
    console.print("\nWhat moved in the newest look that had something new:")
    for one in moved:
        what = one["channel"]
        found = ", ".join(_named(uri, titles) for uri in one["documents"])
        leads = f", leads to {found}" if found else ""
        told = f"  {what}, group {one['bin']}: {one['then']:.0%} before, {one['now']:.0%} now"
        console.print(f"{told}{leads}", soft_wrap=True)


def show_replayed(console: Console, data: dict[str, Any], now: datetime) -> None:
    """A line a policy: what it would have said and cost, and when first."""
    del now
    if not data["models"]:
        console.print("The configuration names no model. README.md, Retraining, says how.")
    for one in data["models"]:
        console.print(Text(f"{one['model']}: {one['said']}"), soft_wrap=True)
        numbers = ("looks", "watch", "stale", "retrainings", "cost", "loss avoided")
        table = table_of("policy", *numbers, "first watch", "first stale", right=numbers)
        for sums in one["policies"]:
            rows = [row for row in one["rows"] if row["policy"] == sums["policy"]]
            table.add_row(
                sums["policy"],
                f"{sums['looks']:,}",
                f"{sums['watch']:,}",
                f"{sums['stale']:,}",
                f"{sums['retrains']:,}",
                "-" if sums["cost"] is None else f"{sums['cost']:,.2f}",
                f"{sums['avoided']:.3f}",
                _first(rows, "watch"),
                _first(rows, "stale"),
            )
        if one["policies"]:
            console.print(table)


def _first(rows: list[dict[str, Any]], word: str) -> str:
    return next((row["at"][:10] for row in rows if row["level"] == word), "-")
