"""Commands about sources: how fresh they are, and taking one out of refreshes for a while."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from cyclopts import App
from rich.console import Console

from flows.cli.decisions import announce
from flows.cli.doors import Answer, Given
from flows.cli.render import coloured, table_of
from flows.cli.words import ago, lasting

if TYPE_CHECKING:
    from pipelines.config import FilesSource, GitSource
    from pipelines.status import SourceFreshness

sources_app = App(name="sources", help="List the sources; pause and resume one.")


def freshness(*, session: Given) -> Answer:
    """Say whether every source is as fresh as its settings ask for; exit code 3 where one is not."""
    from pipelines.status import show_freshness

    data = show_freshness(session.config(), now=session.now).to_dict()
    return Answer(data, _show_freshness, 0 if data["ok"] else 3)


def _show_freshness(console: Console, data: dict[str, Any], now: datetime) -> None:
    """A line a source with its two clocks and their limits, then why, where all is not well."""
    limits, lags = ("warn after", "error after"), ("edits p95", "deletions p95")
    table = table_of(
        "source", "state", "last complete scan", "oldest change that waits", *limits, *lags,
        right=(*limits, *lags),
    )  # fmt: skip
    for source in data["sources"]:
        oldest = source["oldest_pending_at"]
        table.add_row(
            source["name"],
            coloured(source["state"]),
            ago(source["last_complete_scan_at"], now),
            ago(oldest, now) if oldest else "-",
            lasting(source["warn_after"]),
            lasting(source["error_after"]),
            lasting(source["lag_seconds"]["p95"]),
            lasting(source["deletion_lag_seconds"]["p95"]),
        )
    console.print(table)
    said = [f"{s['name']}: {s['why']}" for s in data["sources"] if s["state"] != "ok"]
    for line in said and ["", *said]:
        console.print(line, soft_wrap=True)


@sources_app.default
def sources(*, session: Given) -> Answer:
    """List the sources, and which of them are paused."""
    from pipelines.status import show_freshness

    config = session.config()
    fresh = show_freshness(config, now=session.now).sources
    listed = [_listed(*pair) for pair in zip(config.sources, fresh, strict=True)]
    return Answer({"sources": listed}, _show_sources)


def _listed(settings: "FilesSource | GitSource", fresh: "SourceFreshness") -> dict[str, Any]:
    from pipelines.config.values import mask_password

    said = fresh.to_dict()
    return {
        "name": settings.name,
        "kind": settings.kind,
        "location": mask_password(settings.url) if settings.kind == "git" else settings.path,
        **{key: said[key] for key in ("state", "health", "why", "last_complete_scan_at", "paused")},
    }


def _show_sources(console: Console, data: dict[str, Any], now: datetime) -> None:
    if not data["sources"]:
        console.print("The configuration names no source. To add one: staleproof init FOLDER")
        return
    table = table_of("source", "kind", "where", "state", "last complete scan")
    for source in data["sources"]:
        last = ago(source["last_complete_scan_at"], now)
        table.add_row(
            source["name"], source["kind"], source["location"], coloured(source["state"]), last
        )
    console.print(table)
    for source in data["sources"]:
        if source["paused"]:
            console.print(f"\n{source['name']}: {source['why']}", soft_wrap=True)


@sources_app.command(name="pause")
def sources_pause(name: str, /, *, reason: str = "", session: Given) -> Answer:
    """Leave a source out of refreshes, until it is resumed; it is shown as paused, not as late.

    What is published of it stays. A refresh that names it takes it in all the same.

    Args:
        name: The source.
        reason: Why; it is kept, and shown.
        session: Of this call.
    """
    from pipelines.decide import pause_source

    config, signed = session.config(), session.signed()
    done = pause_source(config, name, signed=signed, reason=reason)
    if done.changed:
        announce(config, "pause", name, reason=reason, signed=signed)
    return Answer(done.to_dict(), _show_paused)


def _show_paused(console: Console, data: dict[str, Any], now: datetime) -> None:
    name, why = data["source"], f": {data['reason']}" if data["reason"] else ""
    if data["changed"]:
        said = f"Refreshes leave {name} out from now on."
    else:
        said = f"{name} is paused already, {ago(data['since'], now)} by {data['by']}{why}."
    console.print(f"{said} To go on: staleproof sources resume {name}", soft_wrap=True)


@sources_app.command(name="resume")
def sources_resume(name: str, /, *, session: Given) -> Answer:
    """Take a source into refreshes again.

    Args:
        name: The source.
        session: Of this call.
    """
    from pipelines.decide import resume_source

    config, signed = session.config(), session.signed()
    done = resume_source(config, name, signed=signed)
    if done.changed:
        announce(config, "resume", name, reason="", signed=signed)
    return Answer(done.to_dict(), _show_resumed)


def _show_resumed(console: Console, data: dict[str, Any], now: datetime) -> None:
    name = data["source"]
    if data["changed"]:
        since = f"{ago(data['since'], now)} by {data['by']}"
        said = f"The next refresh takes {name} in again; it was paused {since}."
        console.print(f"{said} To refresh now: staleproof refresh {name}", soft_wrap=True)
    else:
        console.print(f"{name} is not paused.")
