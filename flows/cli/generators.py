"""Shows what only generators have: answers side by side, a trial, an export."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from flows.cli.measures import SERVED
from flows.cli.render import table_of
from flows.cli.words import counted


def show_samples(console: Console, data: Mapping[str, Any] | None) -> None:
    """What it answers beside what served, on the same prompts; nothing of an embedder."""
    if data is None:
        return
    for one in data["shown"]:
        other = next((m for m in SERVED if m in one["answers"]), "")
        console.print(Text(f"\n{one['question']}", "bold"), soft_wrap=True)
        console.print(f"{one['uri']} ({one['domain']})", style="dim", soft_wrap=True, markup=False)
        table = table_of(SERVED.get(other, "-"), "challenger", "as the house answers")
        said = (one["answers"].get(other, "-"), one["answers"].get("challenger", "-"))
        table.add_row(*(Text(text) for text in (*said, one["wanted"])))
        console.print(table)
    if data["hidden"]:
        hidden = counted(data["hidden"], "question")
        console.print(
            f"{hidden} of others are not for this reader: more with --labels.", soft_wrap=True
        )
    if data["why"]:
        console.print(Text(data["why"], "yellow"), soft_wrap=True)


def show_tried(console: Console, data: dict[str, Any]) -> None:
    """What a fresh process made of a generator, and how servers are told."""
    asked, held = data["trial"]["asked"], data["trial"]["held"]
    console.print(f"Loaded by a fresh process, which answered {held} of {asked} prompts in form.")
    console.print(
        f"For a server: staleproof models export {data['model']} {data['version']} --to FOLDER",
        soft_wrap=True,
    )


def show_exported(console: Console, data: dict[str, Any], now: datetime) -> None:
    """What was written, and how other programs take it."""
    del now
    what = "base and adapter in one" if data["merged"] else f"of the {data['kind'] or 'model'}"
    console.print(
        f"{data['served_as']}, {what}: {counted(len(data['files']), 'file')} in {data['folder']},"
        f" {data['bytes'] / 1e6:,.1f} MB.",
        soft_wrap=True,
    )
    if data["gate"] != "promote":
        console.print(Text("The gate has not let this version in.", "yellow"))
    for program, line in data["how"].items():
        console.print(f"  {program}: {line}", soft_wrap=True, markup=False, highlight=False)
