"""Command doctor: what is wrong with an installation, and how to mend it."""

from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.cli.doors import Answer, Given, Session, console_for
from flows.cli.render import coloured, table_of
from flows.cli.words import counted
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from flows.ops.doctor import Examination
    from pipelines.config import Config

_NOT_SHOWN = ("path", "root")
"""Of the configuration: the line of the file says both."""


def doctor(*, fix: bool = False, session: Given) -> Answer:
    """Look at everything that staleproof stands on, and say how to mend what is wrong.

    Programs, store, disk, permissions, suites, embedder and models; then the Prefect server of this
    project, if there is one: database, work pool, deployments, automations, schedules. Exit code 1
    where something does not work, 4 where that is only something that cannot be reached now.

    Args:
        fix: Mend what can be mended without losing anything: permissions, stage tags, work pool,
            deployments, automations, and what killed processes left.
        session: Of this call.
    """
    from flows.ops.doctor import examine, examine_without, in_effect

    config: Config | None = None
    try:
        config = session.config()
    except ConfigError as problem:
        found = examine_without(problem)
    else:
        with _patience(session):
            found = examine(config, now=session.now, fix=fix)
    data = {
        "ok": found.ok,
        "checks": [check.to_dict() for check in found.checks],
        "fixed": [{"name": name, "did": did} for name, did in found.fixed],
        **in_effect(config),
    }
    return Answer(data, _show, _exit_code(found, config))


def _exit_code(found: "Examination", config: "Config | None") -> int:
    if config is None:
        return ConfigError.exit_code
    if found.ok:
        return 0
    return 4 if found.is_retryable else 1


def _patience(session: Session) -> Any:
    """Says that it goes on, where a person waits: some of what is looked at takes seconds."""
    console = console_for(stderr=True)
    if session.json or not console.is_terminal:
        return nullcontext()
    return console.status("looking ...")


def _show(console: Console, data: dict[str, Any], now: datetime) -> None:
    """A line a check with its remedy below it, what was mended, and the configuration in effect."""
    del now
    table = table_of("check", "state", "found")
    told = set()
    for check in data["checks"]:
        found = Text(check["found"])
        if check["mend"] and check["mend"] not in told:
            told.add(check["mend"])
            found.append(f"\n-> {check['mend']}", "cyan")
        table.add_row(check["name"], coloured(check["state"]), found)
    console.print(table)
    for fixed in data["fixed"]:
        console.print(f"mended {fixed['name']}: {fixed['did']}", soft_wrap=True)
    _show_configuration(console, data)
    console.print(_verdict(data), soft_wrap=True)


def _show_configuration(console: Console, data: dict[str, Any]) -> None:
    lines = Table.grid(padding=(0, 2))
    for section, settings in (data["configuration"] or {}).items():
        if section not in _NOT_SHOWN and settings not in ({}, []):
            for name, said in _sections(section, settings):
                lines.add_row(Text(name, "dim"), Text(said, overflow="fold"))
    for name, value in data["environment"].items():
        lines.add_row(Text(name, "dim"), Text(value, overflow="fold"))
    if lines.row_count:
        console.print(Text("\nConfiguration in effect", "bold"))
        console.print(lines)
    console.print()


def _sections(section: str, settings: Any) -> list[tuple[str, str]]:
    """``[section]`` and its settings, or one such line an entry of a list."""
    if isinstance(settings, list):
        return [line for entry in settings for line in _sections(f"[{section}]", entry)]
    said = ", ".join(f"{key} = {value!r}" for key, value in settings.items())
    return [(f"[{section}]", said)]


def _verdict(data: dict[str, Any]) -> Text:
    states = [check["state"] for check in data["checks"]]
    problems, warnings = states.count("error"), states.count("warn")
    if problems:
        fixable = any(c["fixable"] and c["state"] == "error" for c in data["checks"])
        more = "; staleproof doctor --fix mends some of it" if fixable else ""
        return Text(f"{counted(problems, 'problem')}{more}", "red")
    if warnings:
        return Text(f"It works; {counted(warnings, 'warning')}", "yellow")
    return Text("All is well", "green")
