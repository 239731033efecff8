"""Commands by which a person decides: roll back, withhold, holds, quarantine."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cyclopts import App
from rich.console import Console

from flows.cli import render
from flows.cli.arguments import Labels, publication_number, split_labels
from flows.cli.doors import Answer, Given
from flows.cli.knowledge import refreshed
from pipelines.errors import StaleproofError

if TYPE_CHECKING:
    from pipelines.config import Config
    from pipelines.knowledge import HoldRow, QuarantineRow, Signed

quarantine_app = App(name="quarantine", help="Document versions that cannot be published.")


def announce(config: "Config", action: str, subject: str, *, reason: str, signed: "Signed") -> None:
    """Leaves who and why in the history of the server as well, where one is known."""
    from flows.announce import tell_server
    from flows.decisions import decision_made

    made = decision_made(config, action, subject, reason=reason, signed=signed)
    tell_server(config, made, at=signed.at)


def rollback(number: str | None = None, /, *, with_models: bool = False, session: Given) -> Answer:
    """Publish an earlier state again, and stay with it until unpin.

    Args:
        number: Of the publication to go back to; the state before this one, if left out.
        with_models: Go back to the models of that time too.
        session: Of this call.
    """
    from pipelines.decide import roll_back

    config, signed = session.config(), session.signed()
    done = roll_back(
        config,
        signed=signed,
        to=None if number is None else publication_number(number),
        with_models=with_models,
    )
    announce(config, "rollback", f"#{done.restores}", reason="", signed=signed)
    return Answer(done.to_dict(), _show_rollback)


def _show_rollback(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    console.print(f"Readers see #{data['restores']} again, published as #{data['publication']}.")
    if data["returned"]:
        console.print(f"{data['returned']:,} documents are back that the sources no longer have.")
    if data["withheld"]:
        console.print(f"{data['withheld']:,} documents stay withheld: today they may not be seen.")
    console.print("Refreshes publish nothing until staleproof unpin.")


def unpin(*, session: Given) -> Answer:
    """Let refreshes publish again after a rollback."""
    from pipelines import decide
    from pipelines.knowledge import published_store

    config, signed = session.config(), session.signed()
    new = decide.unpin(config, signed=signed)
    if new is not None:
        announce(config, "unpin", "", reason="", signed=signed)
    number = new.number if new else published_store(config)[1].number
    data = {"publication": number, "pinned": False, "unpinned": new is not None}
    return Answer(data, _show_unpinned)


def _show_unpinned(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    if data["unpinned"]:
        console.print("Refreshes publish again. To catch up now: staleproof refresh")
    else:
        console.print(f"Nothing was pinned; readers see #{data['publication']}.")


def withhold(uri: str, /, *, reason: str, lift: bool = False, session: Given) -> Answer:
    """Take a document away from all readers, at once, until it is lifted.

    Every document with the same text goes with it.

    Args:
        uri: The document: source, slash, path.
        reason: Why; it is kept.
        lift: Give it back.
        session: Of this call.
    """
    from pipelines import decide

    config, signed = session.config(), session.signed()
    act = decide.lift_takedown if lift else decide.withhold
    done = act(config, uri, reason=reason, signed=signed)
    announce(config, "lift" if lift else "withhold", uri, reason=reason, signed=signed)
    return Answer(done.to_dict() | {"lifted": lift}, _show_withheld)


def _show_withheld(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    if data["seen"]:
        said = f"{data['uri']} is seen again by those who hold its labels."
    elif data["lifted"]:
        said = f"Lifted. {data['uri']} stays unseen for now: pinned, in quarantine, or gone."
    else:
        said = f"Nobody sees {data['uri']}."
    console.print(f"{said} Publication #{data['publication']}, {data['withheld']:,} withheld.")


def holds(*, session: Given) -> Answer:
    """List what waits for a decision."""
    from pipelines.decide import open_holds

    found = [_hold(hold) for hold in open_holds(session.config())]
    return Answer({"holds": found}, render.show_holds)


def _hold(hold: "HoldRow") -> dict[str, Any]:
    return {
        "id": hold.id,
        "kind": hold.kind,
        "source": hold.source,
        "since": hold.since.isoformat(),
        "items": sorted(uri for uri, _ in hold.items),
        "why": hold.why,
        "state": hold.state,
    }


def accept(hold: str, /, *, reason: str = "", session: Given) -> Answer:
    """Let a hold through: exactly what it names, by a refresh that follows at once.

    Args:
        hold: Its id.
        reason: Why; it is kept.
        session: Of this call.
    """
    from pipelines.decide import decide

    config, signed = session.config(), session.signed()
    decide(config, hold, accept=True, reason=reason, signed=signed)
    announce(config, "accept", hold, reason=reason, signed=signed)
    recorded = "The decision is recorded; the next refresh that publishes applies it."
    try:
        answer = refreshed(config, session)
    except StaleproofError as error:
        error.hint = f"{recorded} {error.hint}".strip()
        raise
    if answer.data["reason"] == "pinned":
        answer.data["attention"].append(recorded)
    return answer


def drop(hold: str, /, *, reason: str = "", session: Given) -> Answer:
    """Refuse a hold: what it names stays as published until its source changes it again.

    Args:
        hold: Its id.
        reason: Why; it is kept.
        session: Of this call.
    """
    from pipelines.decide import decide

    config, signed = session.config(), session.signed()
    row = decide(config, hold, accept=False, reason=reason, signed=signed)
    announce(config, "drop", hold, reason=reason, signed=signed)
    return Answer(_hold(row), _show_dropped)


def _show_dropped(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    console.print(
        f"Refused: {len(data['items']):,} documents of hold {data['id']} stay as published"
        " until their source changes them again."
    )


@quarantine_app.command(name="list")
def quarantine_list(*, session: Given) -> Answer:
    """List documents that cannot be published, and why."""
    from pipelines.decide import quarantined

    found = [_failed(row) for row in quarantined(session.config())]
    return Answer({"documents": found}, render.show_quarantine)


def _failed(row: "QuarantineRow") -> dict[str, Any]:
    return {
        "uri": row.uri,
        "source": row.source,
        "expectation": row.failure.expectation,
        "observed": row.failure.observed,
        "since": row.since.isoformat(),
    }


@quarantine_app.command(name="show")
def quarantine_show(
    uri: str,
    /,
    *,
    labels: Labels = (),
    session: Given,
) -> Answer:
    """Show one document in quarantine, with an excerpt for those who may read it.

    Args:
        uri: The document.
        labels: What the reader holds besides public, separated by commas.
        session: Of this call.
    """
    from pipelines.decide import show_quarantined

    today = session.now.astimezone(UTC).date()
    shown = show_quarantined(session.config(), uri, labels=split_labels(labels), on=today)
    document = _failed(shown.row) | {"excerpt": shown.excerpt}
    return Answer({"documents": [document]}, render.show_one_quarantined)


@quarantine_app.command(name="release")
def quarantine_release(uri: str, /, *, reason: str, session: Given) -> Answer:
    """Let exactly this version of a document through what its text was checked for.

    The next refresh publishes it; the history says who let it out, and why.

    Args:
        uri: The document.
        reason: Why; it is kept.
        session: Of this call.
    """
    from pipelines.decide import release_quarantined

    config, signed = session.config(), session.signed()
    row = release_quarantined(config, uri, reason=reason, signed=signed)
    announce(config, "release", uri, reason=reason, signed=signed)
    return Answer({"documents": [_failed(row) | {"reason": reason}]}, _show_released)


def _show_released(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    row = data["documents"][0]
    console.print(
        f"{row['uri']} is let out in spite of {row['expectation']}."
        " To publish it: staleproof refresh",
        soft_wrap=True,
    )


@quarantine_app.command(name="retry")
def quarantine_retry(*uris: str, session: Given) -> Answer:
    """Let the next refresh try documents again.

    Args:
        uris: The documents; all that are in quarantine, if none is named.
        session: Of this call.
    """
    from pipelines.decide import retry_quarantined

    tried = retry_quarantined(session.config(), uris)
    return Answer({"documents": tried}, _show_retried)


def _show_retried(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    console.print(
        f"{len(data['documents']):,} documents will be tried again by the next refresh:"
        " staleproof refresh"
    )
