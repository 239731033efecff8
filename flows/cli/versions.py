"""Shows versions of models: lists, cards, differences, what a retraining and a promotion did."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from flows.cli.generators import show_samples, show_tried
from flows.cli.measures import gain, measures_of, number, score, show_measures, signed
from flows.cli.render import show_attention, table_of
from flows.cli.words import ago, counted, lasting

GATE_STYLES = {"promote": "green", "refused": "red"}
VERDICT_STYLES = {"fresh": "green", "watch": "yellow", "stale": "red"}
SHOWN_DOCUMENTS = 20


def show_models(console: Console, data: dict[str, Any], now: datetime) -> None:
    """A line a version, newest first; the one that serves is marked."""
    if not data["models"]:
        console.print("The configuration names no model. README.md, Retraining, says how.")
        return
    numbers = ("score", "gain", "at least", "documents")
    table = table_of(
        "", "model", "version", "when", "gate", "look", *numbers, "from",
        right=numbers,
    )  # fmt: skip
    for row in data["models"]:
        serves = row["stage"] is not None
        table.add_row(
            "*" if serves else "",
            row["model"],
            row["version"] or "-",
            ago(row["created_at"], now) if row["created_at"] else "-",
            Text(row["gate"] or "-", GATE_STYLES.get(row["gate"] or "", "dim")),
            Text(row["verdict"] or "-", VERDICT_STYLES.get(row["verdict"] or "", "dim")),
            number(score(row["metrics"])),
            *_mean_and_bound(gain(row["metrics"])),
            f"{row['documents']:,}" if row["documents"] else "-",
            f"#{row['publication']}" if row["publication"] else "-",
        )
    console.print(table)
    if not any(row["stage"] for row in data["models"]):
        console.print("\nNo version serves: the base does. To train one: staleproof retrain MODEL")


def show_version(console: Console, data: dict[str, Any], now: datetime) -> None:
    """The model card, what looks said of it, and what to do with the version."""
    if data["card"]:
        console.print(Markdown(data["card"]))
    else:
        console.print(f"{data['model']} {data['version']}: no card is stored with it.")
    show_samples(console, data["samples"])
    for look in data["looks"][:1]:
        word = Text(f"\n{look['verdict']}", VERDICT_STYLES.get(look["verdict"], "dim"))
        console.print(word, f"since {ago(look['at'], now)}", soft_wrap=True)
        for reason in look["reasons"]:
            console.print(f"  {reason}", soft_wrap=True)
    if data["stage"] is not None:
        console.print(f"\nIt serves. To take it back: staleproof demote {data['model']}")
    else:
        override = ' --override --reason "..."' if data["gate"] != "promote" else ""
        command = f"staleproof promote {data['model']} {data['version']}{override}"
        console.print(f"\nTo let it in: {command}", soft_wrap=True)


def _mean_and_bound(interval: Mapping[str, Any] | None) -> tuple[str, str]:
    if interval is None:
        return "-", "-"
    return f"{interval['mean']:+.3f}", f"{interval['lower']:+.3f}"


def show_diff(console: Console, data: dict[str, Any], now: datetime) -> None:
    """Parameters, documents and numbers that differ."""
    del now
    table = table_of("", data["from"], data["to"], right=(data["from"], data["to"]))
    for key, (before, after) in data["parameters"].items():
        table.add_row(key, _said(before), _said(after))
    first, second = data["publications"]
    table.add_row("learned from", f"#{first}", f"#{second}")
    for row in measures_of([data["metrics"][data[end]] for end in ("from", "to")]):
        table.add_row(*row)
    table.add_row("gain", *(signed(gain(data["metrics"][data[end]])) for end in ("from", "to")))
    table.add_row("gate", *(_gate(data["gate"][data[end]]) for end in ("from", "to")))
    console.print(table)
    console.print("\nNumbers of two versions stand on the questions of their own time.")
    changed = data["documents"]
    for kind, sign in (("added", "+"), ("changed", "~"), ("removed", "-")):
        for uri in changed[kind][:SHOWN_DOCUMENTS]:
            console.print(f"  {sign} {uri}", soft_wrap=True)
        if len(changed[kind]) > SHOWN_DOCUMENTS:
            console.print(f"  {sign} … and {len(changed[kind]) - SHOWN_DOCUMENTS:,} more")
    counts = [f"{len(changed[kind]):,} {kind}" for kind in ("added", "changed", "removed", "moved")]
    console.print(f"Documents: {', '.join(counts)}, {changed['unchanged']:,} unchanged.")


def _said(value: Any) -> str:
    return "-" if value is None else str(value)


def _gate(promote: bool | None) -> str:
    return "-" if promote is None else "promote" if promote else "refused"


def show_comparison(console: Console, data: dict[str, Any], now: datetime) -> None:
    """The rank that each embedder gives the document of each question."""
    del now
    first, second = data["models"]
    table = table_of("question", first, second, right=(first, second))
    for row in data["questions"]:
        table.add_row(row["id"], *(_rank(rank) for rank in row["ranks"]))
    console.print(table)
    for name, mrr, found in zip(data["models"], data["mrr"], data["found"], strict=True):
        console.print(f"{name}: MRR {mrr:.3f}, {found} of {len(data['questions'])} found")
    where = counted(data["passages"], "passage")
    if data["passages"] < data["published"]:
        where += f" of {data['published']:,}"
    console.print(
        f"Second minus first: {signed(data['difference'])} (95 %), among {where}"
        f" of #{data['publication']}."
    )


def _rank(rank: int | None) -> str:
    return "not found" if rank is None else str(rank)


def show_planned(console: Console, data: dict[str, Any], now: datetime) -> None:
    """What a retraining would learn from, take and cost."""
    del now
    estimate = data["estimate"]
    table = table_of("", "")
    table.show_header = False
    learned = (counted(data["documents"], "document"), counted(data["passages"], "passage"))
    table.add_row("learns from", f"{', '.join(learned)} of #{data['publication']}")
    for reason, count in sorted(data["left_out"].items()):
        table.add_row("left out", f"{count:,}: {reason}")
    if data["without_evidence"]:
        table.add_row("no evidence", _without_evidence(data))
    table.add_row("trains", f"{data['pairs']:,} examples, {counted(data['steps'], 'step')}")
    table.add_row("time", f"about {lasting(estimate['seconds'])}, {estimate['measured_on']}")
    table.add_row("memory", f"about {estimate['memory_bytes'] / 2**30:.1f} GiB")
    if estimate["cost"]:
        table.add_row("cost", f"{estimate['cost']:,.2f}")
    console.print(table)
    show_not_used(console, data["not_used"])
    console.print(f"\nTo do it: staleproof retrain {data['model']}")


def _without_evidence(data: Mapping[str, Any]) -> str:
    answers = counted(data["without_evidence"], "answer")
    return f"{answers} name no document: what they say is learned by heart, and goes stale"


def show_not_used(console: Console, files: list[str]) -> None:
    """What a run does not see, for it starts from the newest commit."""
    if files:
        console.print(
            Text(f"Not used, for it is not committed: {', '.join(files)}", "yellow"),
            soft_wrap=True,
        )


def show_retrained(console: Console, data: dict[str, Any], now: datetime) -> None:
    """The new version, what the gate says of it and why, and how it goes on."""
    del now
    show_not_used(console, data["not_used"])
    if data["without_evidence"]:
        console.print(Text(f"{_without_evidence(data)}.", "yellow"), soft_wrap=True)
    if data["version"] is None:
        console.print(f"{data['model']}: {data['reason']}. No version was made.")
        return
    name = f"{data['model']} {data['version']}"
    console.print(f"{name}, learned from #{data['publication']} in {_took(data)}")
    show_measures(console, data["metrics"])
    if data["verdict"] == "promote":
        console.print(Text("The gate lets it in.", "green"))
    else:
        console.print(Text("The gate refuses it:", "red"))
    for reason in (*data["reasons"], *data["judgement"].get("notes", ())):
        console.print(f"  {reason}", soft_wrap=True)
    word = "To look at it" if data["verdict"] != "promote" else "To let it serve"
    console.print(f"{word}: {data['next']}")


def _took(data: dict[str, Any]) -> str:
    return lasting(data["seconds"]["total"])


def show_fill_estimate(console: Console, data: dict[str, Any], now: datetime) -> None:
    """What embedding everything anew would take."""
    del now
    if not data["passages"]:
        console.print("Nothing would have to be embedded.")
        return
    sizes = (counted(data["passages"], "passage"), counted(data["tokens"], "token"))
    takes = "" if data["seconds"] is None else f", about {lasting(data['seconds'])}"
    costs = f", costs {data['cost']:,.4f}" if data["cost"] else ""
    console.print(f"To embed: {', '.join(sizes)}{takes}{costs}. Readers are served meanwhile.")


def show_promoted(console: Console, data: dict[str, Any], now: datetime) -> None:
    """Whether the version serves now, or why it was not let in."""
    name = f"{data['model']} {data['version']}"
    if not data["promoted"]:
        console.print(Text(f"{name} is not promoted: {data['reason']}.", "red"), soft_wrap=True)
        console.print(f"Readers see #{data['publication']}, as before.")
        console.print(f"To look at it: staleproof models show {name}")
        if data["fill"] is None:  # the gate's; what the audit refuses no override lets in
            override = f'staleproof promote {name} --override --reason "..."'
            console.print(f"To let it in all the same: {override}", soft_wrap=True)
    elif data["fill"] is None and data["trial"] is None:
        console.print(f"{name} serves already, in publication #{data['publication']}.")
    else:
        against = ", against the gate" if data["overridden"] else ""
        console.print(f"{name} serves{against}, in publication #{data['publication']}.")
        if data["fill"] is not None:
            show_filled(console, data["fill"], now)
        else:
            show_tried(console, data)
        console.print(f"To take it back: staleproof demote {data['model']}")
    show_attention(console, data["attention"])


def show_filled(console: Console, data: dict[str, Any], now: datetime) -> None:
    """What was embedded, how the golden questions fare, who loaded the model."""
    del now
    if not data["switched"]:
        console.print(f"Readers see #{data['publication']}, as before: {data['reason']}.")
        return
    done = counted(data["embedded"], "passage")
    console.print(f"{done} embedded, {data['reused']:,} reused, in {lasting(data['seconds'])}.")
    canaries = data["canaries"]
    if canaries.get("canaries"):
        console.print(
            f"Golden questions that find their document: {_share(canaries.get('now'))},"
            f" before {_share(canaries.get('before'))} (of {canaries['canaries']:,})."
        )
    if data["loaded_by"]:
        console.print(f"Loaded and tried by {data['loaded_by']} before readers were switched.")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def show_demoted(console: Console, data: dict[str, Any], now: datetime) -> None:
    """Who serves now, and how far behind the index is."""
    del now
    index = f" (the index of #{data['restores']})" if data["kind"] == "embedder" else ""
    console.print(
        f"{data['model']} {data['version']} no longer serves; {data['serves']} does, in"
        f" publication #{data['publication']}{index}."
    )
    missing = [f"{count:,} {kind}" for kind, count in data["behind"].items() if count]
    if missing:
        console.print(f"It is behind: {', '.join(missing)} documents. The next refresh catches up.")
    if data["withheld"]:
        console.print(f"{data['withheld']:,} documents stay withheld: today they may not be seen.")
