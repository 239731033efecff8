"""Shows what a store knows: status, hits, history, holds, quarantine, checks."""

from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.cli.words import ago, as_of, counted, lasting
from flows.holds import to_decide, to_look

HEALTH_STYLES = {
    "healthy": "green",
    "warning": "yellow",
    "degraded": "red",
    "ok": "green",
    "warn": "yellow",
    "error": "red",
    "paused": "cyan",
}
SHOWN_ITEMS = 20


def table_of(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """A plain table; what is too long for a cell goes on in the next line."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def coloured(word: str) -> Text:
    """A word of health in its colour."""
    return Text(word, HEALTH_STYLES.get(word, "dim"))


def show_attention(console: Console, attention: list[str]) -> None:
    """What a person may have to look at."""
    if attention:
        console.print(Text("\nAttention", "bold yellow"))
    for line in attention:
        console.print(f"  {line}", soft_wrap=True)


def show_status(console: Console, data: dict[str, Any], now: datetime) -> None:
    """A line a source, then what needs a person."""
    served = f"publication #{data['publication']}" if data["publication"] else "nothing published"
    pinned = ", pinned" if data["pinned"] else ""
    console.print(Text.assemble(coloured(data["health"]), f", {served}{pinned}\n"))
    counts = ("documents", "pending", "held", "quarantined", "withheld")
    table = table_of(
        "source", "health", "last complete scan", "data as of", "lag p50", "p95", *counts,
        right=("lag p50", "p95", *counts),
    )  # fmt: skip
    for source in data["sources"]:
        lag = source["lag_seconds"]
        table.add_row(
            source["name"],
            coloured("paused" if source["paused"] else source["health"]),
            ago(source["last_scan_at"], now),
            ago(source["data_as_of"], now) if source["data_as_of"] else "-",
            lasting(lag["p50"]),
            lasting(lag["p95"]),
            *(f"{source[name]:,}" for name in counts),
        )
    console.print(table)
    show_attention(console, data["attention"])


def show_hits(
    console: Console,
    data: dict[str, Any],
    now: datetime,
    *,
    labels: frozenset[str],
    domain: str | None,
) -> None:
    """The passages found, best first, and what they stand on."""
    for hit in data["hits"]:
        where = " > ".join(filter(None, dict.fromkeys((hit["title"], hit["heading"]))))
        head = Text.assemble((f"{hit['score']:.3f}  ", "cyan"), (where or hit["uri"], "bold"))
        console.print(head)
        console.print(Text(f"       {hit['uri']}", "dim"), soft_wrap=True)
        console.print(Padding(Text(hit["text"].strip()), (0, 0, 1, 7), expand=False))
    reader = ", ".join(sorted({"public", *labels}))
    if not data["hits"]:
        within = f" in domain {domain}" if domain else ""
        console.print(f"Nothing{within} is found that a reader with {reader} may see.")
    late = "; a source is overdue, see staleproof status" if data["overdue"] else ""
    console.print(
        f"publication #{data['publication']}, {as_of(data['data_as_of'], now)}{late};"
        f" read as {reader}",
        style="dim",
    )


def show_history(console: Console, data: dict[str, Any], now: datetime) -> None:
    """Publications, newest first; what readers see is marked."""
    if not data["publications"]:
        console.print("Nothing is published yet. To begin: staleproof refresh.")
        return
    numbers = ("documents", "passages", "tokens")
    table = table_of(
        "", "number", "when", "by", "what", *numbers, "state", right=("number", *numbers)
    )
    for row in data["publications"]:
        served = row["number"] == data["publication"]
        states = ["readers see this"] if served else []
        states += ["pinned"] if served and data["pinned"] else []
        states += [f"restores #{row['restores']}"] if row["restores"] else []
        states += [] if row["kept"] else ["files gone"]
        table.add_row(
            "*" if served else "",
            f"#{row['number']}",
            ago(row["at"], now),
            row["actor"],
            row["reason"],
            *(f"{row[key]:,}" for key in ("documents", "chunks", "tokens_embedded")),
            ", ".join(states),
        )
    console.print(table)


def show_difference(console: Console, data: dict[str, Any], now: datetime) -> None:
    """What differs between two publications, by document."""
    del now
    signs = {
        "added": "+", "changed": "~", "relabelled": "=", "deleted": "-",
        "withheld": "x", "shown_again": "o",
    }  # fmt: skip
    for kind, sign in signs.items():
        for uri in data[kind]:
            console.print(f"  {sign} {uri}", soft_wrap=True)
    said = [f"{len(data[kind]):,} {kind.replace('_', ' ')}" for kind in signs if data[kind]]
    console.print(f"#{data['from']} to #{data['to']}: {', '.join(said) or 'no difference'}")


def show_head(console: Console, data: dict[str, Any], now: datetime) -> None:
    """What a plain LanceDB reader needs."""
    del now
    table = Table.grid(padding=(0, 2))
    for key in ("publication", "uri", "table", "version", "filter"):
        table.add_row(Text(key, "dim"), Text(str(data[key]), overflow="fold"))
    console.print(table)


def show_verified(console: Console, data: dict[str, Any], now: datetime) -> None:
    """What was checked, what is explained, and what is wrong."""
    del now
    for problem in data["problems"]:
        line = (f"  {problem['kind']}  {problem['uri'] or ''}", f"  {problem['detail']}")
        console.print(Text.assemble((line[0], "red"), line[1]), soft_wrap=True)
    said = [f"{number:,} {kind}" for kind, number in data["explained"].items() if number]
    if said:
        console.print(f"Explained: {', '.join(said)}.")
    for source, why in data["unreachable"].items():
        console.print(Text(f"Source {source} was not compared: {why}", "yellow"), soft_wrap=True)
    well = "All that could be compared is well" if data["unreachable"] else "All is well"
    verdict = well if data["ok"] else counted(len(data["problems"]), "problem")
    checked = (counted(data["documents"], "document"), counted(data["chunks"], "passage"))
    console.print(f"{verdict}: publication #{data['publication']}, {', '.join(checked)}.")


def show_holds(console: Console, data: dict[str, Any], now: datetime) -> None:
    """Every hold with its documents and the commands that decide it."""
    if not data["holds"]:
        console.print("Nothing waits for a decision.")
    for hold in data["holds"]:
        source = f", {hold['source']}" if hold["source"] else ""
        head = f"{hold['kind']}{source}, {ago(hold['since'], now)}"
        console.print(Text.assemble((hold["id"], "bold"), f"  {head}"))
        console.print(f"  {hold['why']}", soft_wrap=True)
        for uri in hold["items"][:SHOWN_ITEMS]:
            console.print(Text(f"    {uri}", "dim"), soft_wrap=True)
        if len(hold["items"]) > SHOWN_ITEMS:
            console.print(f"    … and {len(hold['items']) - SHOWN_ITEMS:,} more")
        if hold["state"] == "accepted":
            console.print("  Accepted; the next refresh applies it.\n")
            continue
        look = to_look(hold["kind"], hold["id"])
        if look:
            console.print(f"  to look      {look}", soft_wrap=True)
        console.print(f"  to decide    {'   '.join(to_decide(hold['id']))}\n", soft_wrap=True)


def show_quarantine(console: Console, data: dict[str, Any], now: datetime) -> None:
    """Document versions that cannot be published, and why."""
    if not data["documents"]:
        console.print("Nothing is in quarantine.")
        return
    table = table_of("document", "expected", "observed", "since")
    for row in data["documents"]:
        table.add_row(row["uri"], row["expectation"], row["observed"], ago(row["since"], now))
    console.print(table)
    console.print(
        "\nReaders keep the last good version, unless what it asks is broken: then nobody sees it."
        " Once mended at its source, the next refresh takes it."
    )


def show_one_quarantined(console: Console, data: dict[str, Any], now: datetime) -> None:
    """One document in quarantine, with an excerpt where the reader may see it."""
    row = data["documents"][0]
    console.print(Text(row["uri"], "bold"), soft_wrap=True)
    console.print(f"  expected {row['expectation']}, observed: {row['observed']}", soft_wrap=True)
    console.print(f"  since {ago(row['since'], now)}")
    if row["excerpt"] is None:
        console.print("  No excerpt: there is none, or a reader with these labels may not see it.")
    else:
        console.print(Padding(Text(row["excerpt"]), (1, 0, 0, 4)))
