"""Commands that keep the knowledge base and ask it."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter, validators
from rich.console import Console

from flows.cli import render
from flows.cli.arguments import Labels, publication_number, split_labels, waiting_seconds
from flows.cli.doors import Answer, Given, Session, actor
from flows.cli.receipt import report_data, show_plan, show_receipt
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.config import Config

history_app = App(name="history", help="List the publications, newest first.")
queries_app = App(name="queries", help="Questions that people asked.")


def plan(*sources: str, recheck: bool = False, session: Given) -> Answer:
    """Show what a refresh would do and cost, without doing it.

    Args:
        sources: Names of sources; all, if none is named.
        recheck: Read every document, whatever its size and time say.
        session: Of this call.
    """
    from flows.cli.progress import shown_progress
    from pipelines.refresh import Request, plan_knowledge

    config = session.config()
    with shown_progress() as listen:
        report = plan_knowledge(
            config,
            now=session.now,
            run_id=session.new_run(),
            request=Request(sources=sources, recheck=recheck, actor=actor()),
            on_event=listen,
            ports=session.ports_used(),
        )
    return Answer(report_data(report), show_plan, report.exit_code)


def refresh(
    *sources: str,
    recheck: bool = False,
    no_publish: bool = False,
    wait: str | None = None,
    flow: bool = False,
    session: Given,
) -> Answer:
    """Make what readers see what the sources say.

    Args:
        sources: Names of sources; all, if none is named.
        recheck: Read every document, whatever its size and time say.
        no_publish: Build and check a candidate, and hold it for a person.
        wait: How long to wait for another refresh that runs, e.g. 90s, 5m, 1h.
        flow: Run it as a Prefect flow, against the configured API.
        session: Of this call.
    """
    config = session.config()
    options = {
        "sources": sources,
        "recheck": recheck,
        "publish": not no_publish,
        "wait_seconds": waiting_seconds(wait),
    }
    if flow:
        return _refresh_as_flow(config, options)
    return refreshed(config, session, **options)


def refreshed(config: "Config", session: Session, **options: Any) -> Answer:
    """Runs a refresh in this process, with its progress on stderr."""
    from flows.cli.progress import shown_progress
    from pipelines.refresh import Request, refresh_knowledge

    with shown_progress() as listen:
        report = refresh_knowledge(
            config,
            now=session.now,
            run_id=session.new_run(),
            request=Request(actor=actor(), **options),
            on_event=listen,
            ports=session.ports_used(),
        )
    return Answer(report_data(report), show_receipt, report.exit_code)


def _refresh_as_flow(config: "Config", options: dict[str, Any]) -> Answer:
    from flows.ops.attach import use_running_server

    use_running_server(config)  # before anything imports Prefect
    from flows.refresh import run_on_server
    from pipelines.refresh import Request

    data, exit_code = run_on_server(config, Request(actor=actor(), **options))
    return Answer(data, show_receipt, exit_code)


def status(*, session: Given) -> Answer:
    """Show how fresh every source is, what waits, and what needs a person."""
    from pipelines.status import show_status

    return Answer(show_status(session.config(), now=session.now).to_dict(), render.show_status)


def search(
    *query: str,
    k: Annotated[int, Parameter(name="-k")] = 5,
    domain: str | None = None,
    labels: Labels = (),
    publication: str | None = None,
    session: Given,
) -> Answer:
    """Find the passages that answer a question.

    Args:
        query: The question.
        k: How many passages.
        domain: Only documents of this domain.
        labels: What the reader holds besides public, separated by commas.
        publication: Another state than readers see: a publication's number, a hold, or candidate.
        session: Of this call.
    """
    from pipelines.answers import Question, search_knowledge

    held = split_labels(labels)
    question = Question(" ".join(query), k=k, domain=domain, labels=held, publication=publication)
    hits = search_knowledge(
        session.config(),
        question,
        now=session.now,
        load_encoder=session.ports_used().load_encoder,
    )
    return Answer(hits.to_dict(), partial(render.show_hits, labels=held, domain=domain))


@history_app.default
def history(*, session: Given) -> Answer:
    """List the publications, newest first."""
    from pipelines.status import show_history

    return Answer(show_history(session.config()), render.show_history)


@history_app.command(name="diff")
def history_diff(a: str, b: str, /, *, session: Given) -> Answer:
    """Show what differs between two publications, by document.

    Args:
        a: The number of the older one.
        b: The number of the newer one.
        session: Of this call.
    """
    from pipelines.status import compare_publications

    numbers = publication_number(a), publication_number(b)
    return Answer(compare_publications(session.config(), *numbers), render.show_difference)


def head(
    *,
    labels: Labels = (),
    session: Given,
) -> Answer:
    """Show table, version and filter, for those who read the store with LanceDB alone.

    Args:
        labels: What the reader holds besides public, separated by commas.
        session: Of this call.
    """
    from pipelines.status import show_head

    return Answer(show_head(session.config(), labels=split_labels(labels)), render.show_head)


def verify(*, sources: bool = False, sample: int = 50, session: Given) -> Answer:
    """Check the store against itself, and against the sources if asked.

    Args:
        sources: Compare with the sources too.
        sample: How many passages are embedded again.
        session: Of this call.
    """
    from flows.cli.progress import shown_progress
    from pipelines.verify import verify_knowledge

    if sample < 0:
        raise ConfigError("--sample needs a number of at least 0.")
    config = session.config()
    with shown_progress() as listen:
        found = verify_knowledge(
            config,
            now=session.now,
            run_id=session.new_run(),
            sources=sources,
            sample=sample,
            on_event=listen,
            load_encoder=session.ports_used().load_encoder,
        )
    return Answer(found.to_dict(), render.show_verified, found.exit_code)


@queries_app.command(name="import")
def queries_import(
    file: Annotated[Path, Parameter(validator=validators.Path(exists=True, dir_okay=False))],
    /,
    *,
    session: Given,
) -> Answer:
    """Load questions that were asked elsewhere.

    Args:
        file: JSON lines: question, and if known at, domain, accepted.
        session: Of this call.
    """
    from pipelines.answers import import_queries

    try:
        imported = import_queries(
            session.config(),
            file,
            now=session.now,
            load_encoder=session.ports_used().load_encoder,
        )
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 at byte {error.start}.") from error
    return Answer({"imported": imported}, _show_imported)


def _show_imported(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    console.print(f"{data['imported']:,} questions imported.")
