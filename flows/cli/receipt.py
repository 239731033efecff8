"""Shows what a plan would do and what a refresh did."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.cli.render import show_attention
from flows.cli.words import counted, lasting

if TYPE_CHECKING:
    from pipelines.refresh import Report

PLAN_LINES = 50
RECEIPT_LINES = 12
HELD_LINES = 10

SIGNS = {
    "added": ("+", "green"),
    "changed": ("~", "yellow"),
    "relabelled": ("=", "blue"),
    "moved": (">", "cyan"),
    "deleted": ("-", "red"),
}
WAITING = {
    "held": "held for a person",
    "quarantined": "in quarantine",
    "withheld": "withheld from readers",
}


def report_data(report: "Report") -> dict[str, Any]:
    """The JSON of a plan or a refresh, with the names of what it is about."""
    return report.to_dict() | {
        "changes": [
            {"kind": c.kind.value, "uri": c.uri, "reason": c.reason} for c in report.changes
        ],
        "held": [
            {
                "id": hold.id,
                "kind": hold.kind,
                "source": hold.source,
                "items": [uri for uri, _ in hold.items],
                "why": hold.why,
            }
            for hold in report.holds
        ],
        "rejected": [
            {
                "uri": r.found.uri,
                "expectation": r.failure.expectation,
                "observed": r.failure.observed,
            }
            for r in report.rejected
        ],
    }


def show_plan(console: Console, data: dict[str, Any], now: datetime) -> None:
    """What would happen: documents by kind, what would be held, then the sum and its price."""
    del now
    _changes(console, data["changes"], PLAN_LINES)
    for hold in data["held"]:
        console.print(f"\nWould be held ({hold['kind']} {hold['id']}): {hold['why']}")
        _cut(console, hold["items"], HELD_LINES, lambda uri: Text(f"  ! {uri}", "magenta"))
    if data["changes"] or data["held"]:
        console.print()
    table = _grid()
    table.add_row("documents", _kinds(data["documents"], planned=True))
    table.add_row("passages", _passages(data, "to embed", "to reuse", "to delete"))
    table.add_row("tokens", f"{data['tokens_embedded']:,}")
    table.add_row("time", _time(data["estimate"]["seconds"]))
    if data["estimate"]["cost"]:
        table.add_row("cost", f"{data['estimate']['cost']:,.4f}")
    console.print(table)
    show_attention(console, data["attention"])
    if data["changes"] and data["reason"] == "planned only":
        console.print("\nNothing was changed. To do it: staleproof refresh")


def show_receipt(console: Console, data: dict[str, Any], now: datetime) -> None:
    """What changed, what it took, what readers see now, and what waits."""
    del now
    documents, number = data["documents"], data["publication"]
    served = f"publication #{number}" if number else "nothing published yet"
    if data["published"]:
        took = lasting(data["seconds"]["total"])
        console.print(Text(f"{data['knowledge']} #{number} published in {took}", "bold"))
        _changes(console, data.get("changes", []), RECEIPT_LINES)
    elif data["reason"] == "nothing changed":
        console.print(
            f"Nothing changed: {counted(documents['unchanged'], 'document')}, {served}."
            f"{_waiting_words(documents)}"
        )
    else:
        console.print(Text(f"Not published: {data['reason']}; {served}.", "bold"))
    if data["published"] or data["chunks"]["embedded"]:
        console.print(_receipt_table(data))
    show_attention(console, data["attention"])


def _receipt_table(data: dict[str, Any]) -> Table:
    table = _grid()
    table.add_row("documents", _kinds(data["documents"], planned=False))
    passages = _passages(data, "embedded", "reused", "deleted")
    table.add_row("passages", f"{passages}, {data['chunks']['total']:,} in all")
    table.add_row("tokens", f"{data['tokens_embedded']:,} embedded")
    stages = (f"{name} {seconds:.1f}" for name, seconds in data["seconds"].items())
    table.add_row("seconds", ", ".join(stages))
    return table


def _waiting_words(documents: dict[str, int]) -> str:
    said = [f"{documents[key]:,} {words}" for key, words in WAITING.items() if documents[key]]
    return f" {', '.join(said).capitalize()}." if said else ""


def _kinds(documents: dict[str, int], *, planned: bool) -> str:
    kinds = [
        f"{sign}{documents[kind]:,} {kind}" for kind, (sign, _) in SIGNS.items() if documents[kind]
    ]
    rest = [f"{documents['unchanged']:,} unchanged"] if documents["unchanged"] else []
    rest += [f"{documents[key]:,} {words}" for key, words in WAITING.items() if documents[key]]
    nothing = "no change" if planned and not kinds else ""
    return ", ".join(filter(None, [nothing, *kinds, *rest]))


def _passages(data: dict[str, Any], embedded: str, reused: str, deleted: str) -> str:
    chunks = data["chunks"]
    return (
        f"{chunks['embedded']:,} {embedded}, {chunks['reused']:,} {reused},"
        f" {chunks['deleted']:,} {deleted}"
    )


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "not known before a first refresh"
    return f"about {lasting(seconds)}, once the model is loaded" if seconds else "nothing to embed"


def _changes(console: Console, changes: list[dict[str, str]], limit: int) -> None:
    """Grouped by kind, in the order of the signs."""
    order = list(SIGNS)
    changes = sorted(changes, key=lambda c: (order.index(c["kind"]), c["uri"]))
    width = max((len(c["uri"]) for c in changes[:limit]), default=0)

    def line(change: dict[str, str]) -> Text:
        sign, style = SIGNS[change["kind"]]
        uri = f"  {sign} {change['uri']:<{min(width, 60)}}"
        return Text.assemble((uri, style), (f"  {change['reason']}", "dim"))

    _cut(console, changes, limit, line)


def _cut(console: Console, items: Iterable[Any], limit: int, line: Callable[[Any], Text]) -> None:
    """A long list ends by saying how much more there is."""
    items = list(items)
    for item in items[:limit]:
        console.print(line(item), soft_wrap=True)
    if len(items) > limit:
        console.print(f"  … and {len(items) - limit:,} more")


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    return table
