"""Command audit: what today's suites say about a publication, or about a document in quarantine."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from flows.cli.arguments import Labels, publication_number, split_labels
from flows.cli.doors import Answer, Given, Session
from flows.cli.render import table_of
from flows.cli.words import ago, counted
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.config import Config

ROOM = 80
STYLES = {"critical": "red", "warning": "yellow"}


def audit(
    *,
    publication: str | None = None,
    html: Path | None = None,
    explain: str | None = None,
    labels: Labels = (),
    lint: bool = False,
    session: Given,
) -> Answer:
    """Run the suites on what is published; exit code 3 where something critical fails.

    Args:
        publication: The number of another publication than the one that readers see.
        html: Write the result into this file too, as a page that works without a network.
        explain: Say instead why this document is in quarantine.
        labels: With --explain, what the reader holds besides public, separated by commas.
        lint: Check instead the suites and the golden questions, without the store.
        session: Of this call.
    """
    _refuse_mixtures(
        {"--publication": publication, "--html": html, "--explain": explain, "--lint": lint or None}
    )
    config = session.config()
    if lint:
        return _linted(config)
    if explain is not None:
        return _explained(config, explain, split_labels(labels), session)
    number = None if publication is None else publication_number(publication)
    return _audited(config, number, html, session)


def _refuse_mixtures(given: Mapping[str, Any]) -> None:
    """What asks for something else than an audit stands alone."""
    named = [option for option, value in given.items() if value is not None]
    alone = [option for option in named if option in ("--explain", "--lint")]
    if alone and len(named) > 1:
        raise ConfigError(f"{' and '.join(named)} do not go together.")


def _audited(config: "Config", number: int | None, html: Path | None, session: Session) -> Answer:
    from pipelines.audit import audit_publication

    report = audit_publication(
        config,
        number=number,
        now=session.now,
        load_encoder=session.ports_used().load_encoder,
    )
    data = report.to_dict()
    if html is not None:
        from pipelines.pages import audit_page, write_page

        write_page(html, audit_page(data))
    written = None if html is None else str(html)
    return Answer(data | {"page": written}, _show_audit, 0 if report.ok else 3)


def _show_audit(console: Console, data: dict[str, Any], now: datetime) -> None:
    from pipelines.pages import failing_first, outcome

    table = table_of("expectation", "expected", "observed", "severity", "verdict")
    for one in failing_first(data["verdicts"]):
        style = "green" if one["passed"] else STYLES[one["severity"]]
        verdict = Text("passed" if one["passed"] else "failed", style)
        cells = (one[key] for key in ("expectation", "expected", "observed", "severity"))
        table.add_row(*cells, verdict)
    # Where there is room, names stay whole and what was expected and observed gives way.
    for column in table.columns[:1] + table.columns[3:]:
        column.no_wrap = console.width >= ROOM
    console.print(table)
    for one in data["verdicts"]:
        _show_rows(console, one)
    for one in data["mend"]:
        console.print(
            f"Golden question {one['id']} ({one['uri']}) does not count: {one['why']}.",
            soft_wrap=True,
        )
    console.print(f"\n{outcome(data)}", soft_wrap=True)
    held = (counted(data["documents"], "document"), counted(data["chunks"], "passage"))
    before = f", against #{data['compared_with']}" if data["compared_with"] else ""
    console.print(
        f"publication #{data['publication']}, {ago(data['at'], now)}, {', '.join(held)}{before}",
        style="dim",
    )
    if data["page"]:
        console.print(f"wrote  {data['page']}", soft_wrap=True)


def _show_rows(console: Console, verdict: Mapping[str, Any]) -> None:
    """The rows that fail an expectation, as many as are named."""
    if not verdict["rows"]:
        return
    console.print(Text(f"\n{verdict['expectation']} fails for", STYLES[verdict["severity"]]))
    for key, observed in verdict["rows"].items():
        console.print(Text.assemble(f"  {key}", (f"  {observed}", "dim")), soft_wrap=True)
    if verdict["failed"] > len(verdict["rows"]):
        console.print(f"  … and {verdict['failed'] - len(verdict['rows']):,} more")


def _explained(config: "Config", uri: str, labels: frozenset[str], session: Session) -> Answer:
    from pipelines.audit import explain

    today = session.now.astimezone(UTC).date()
    return Answer(explain(config, uri, labels=labels, on=today).to_dict(), _show_explained)


def _show_explained(console: Console, data: dict[str, Any], now: datetime) -> None:
    console.print(Text(data["uri"], "bold"), soft_wrap=True)
    said = f", which expects {data['expected']}" if data["expected"] else ""
    console.print(f"  fails {data['expectation']}{said}", soft_wrap=True)
    console.print(f"  observed: {data['observed']}", soft_wrap=True)
    console.print(f"  the suite: {data['suite']}", soft_wrap=True)
    console.print(f"  since {ago(data['since'], now)}")
    seen = "nobody sees the document" if data["withheld"] else "the last good version, if any"
    console.print(f"  readers see: {seen}")
    if data["excerpt"] is None:
        console.print("  No excerpt: there is none, or a reader with these labels may not see it.")
    else:
        console.print(Padding(Text(data["excerpt"]), (1, 0, 1, 4)))
    console.print("Mended at its source, the next refresh takes it.")
    if data["expected"]:
        release = f"staleproof quarantine release {quote(data['uri'])}"
        console.print(f'To publish it as it is: {release} --reason "..."', soft_wrap=True)


def _linted(config: "Config") -> Answer:
    from pipelines.quality import lint_files

    return Answer(lint_files(config).to_dict(), _show_linted)


def _show_linted(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    counts = ("expectations", "critical", "warning")
    table = table_of("suite", *counts, "file", right=counts)
    for suite in data["suites"]:
        numbers = (f"{suite[key]:,}" for key in counts)
        table.add_row(suite["grain"], *numbers, suite["file"] or "built in")
    console.print(table)
    golden = data["golden"]
    console.print(f"\n{counted(golden['questions'], 'golden question')} in {golden['folder']}.")
    if golden["questions"] and not golden["enough"]:
        console.print("So few only warn: where 30 or more count for a source, it is held.")
    console.print("All of it can be checked.")
