"""The command line: finds the command, hands it its session, says what came of it."""

import sys
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Group, Parameter

from flows.cli import decisions, knowledge, models, server, sources, start, webhook
from flows.cli.audit import audit
from flows.cli.doctor import doctor
from flows.cli.doors import Answer, Session, answer_or_explain, say, show_warnings
from flows.cli.watch import watch

if TYPE_CHECKING:
    from pipelines.refresh import Ports

_KNOWLEDGE = Group.create_ordered("Knowledge")
_DECISIONS = Group.create_ordered("Decisions")
_AUDIT = Group.create_ordered("Audit")
_MODELS = Group.create_ordered("Models")
_SERVER = Group.create_ordered("Server")
_GLOBAL = Group("For every command")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("staleproof")
    except PackageNotFoundError:
        return "unknown (not installed)"


app = App(
    name="staleproof",
    help="Keeps a company's knowledge base and fine-tuned models from going stale.",
    help_epilogue="Exit codes: 0 done, 1 failed, 2 a mistake in the call or the configuration,"
    " 3 waits for a person, 4 not now, try again.",
    help_format="plaintext",
    version=_version,
    # No flag has a --no- twin that nobody asked for.
    default_parameter=Parameter(negative=()),
)
_AREAS: dict[Group, tuple[App | Callable[..., Answer | None], ...]] = {
    _KNOWLEDGE: (
        start.init,
        knowledge.plan,
        knowledge.refresh,
        knowledge.status,
        knowledge.search,
        knowledge.history_app,
        knowledge.head,
        knowledge.verify,
        sources.freshness,
        sources.sources_app,
        knowledge.queries_app,
    ),
    _DECISIONS: (
        decisions.rollback,
        decisions.unpin,
        decisions.withhold,
        decisions.holds,
        decisions.accept,
        decisions.drop,
        decisions.quarantine_app,
    ),
    _AUDIT: (audit,),
    _MODELS: (
        models.models_app,
        watch,
        models.retrain,
        models.promote,
        models.demote,
        models.fill,
        models.reproduce,
    ),
    _SERVER: (server.up, server.down, doctor, webhook.webhook_app),
}
for _group, _commands in _AREAS.items():
    for _place, _command in enumerate(_commands):
        if isinstance(_command, App):
            _command.group = _group
            _command.sort_key = _place
            app.command(_command)
        else:
            app.command(_command, group=_group, sort_key=_place)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(group=_GLOBAL)] = None,
    json: Annotated[bool, Parameter(group=_GLOBAL, show_default=False)] = False,
    debug: Annotated[bool, Parameter(group=_GLOBAL, show_default=False)] = False,
    ports: Annotated[Any, Parameter(parse=False)],
    now: Annotated[datetime | None, Parameter(parse=False)],
) -> int:
    """Keeps a company's knowledge base and fine-tuned models from going stale.

    Args:
        tokens: The command and its arguments.
        config: The configuration file [default: $STALEPROOF_CONFIG, else ./staleproof.toml].
        json: Print one JSON object on stdout, and everything else on stderr.
        debug: Print the traceback of an error.
        ports: The model and the store's write verbs.
        now: The time of the call.
    """
    del debug
    session = Session(config, json, now or datetime.now(UTC), ports)
    command = _found(app, tokens, session=session)
    if json and command.func == app.help_print and not {"--help", "-h"} & set(tokens):
        raise CycloptsError(msg="No command was given.")
    answer = command()
    if isinstance(answer, Answer):
        say(answer, session)
        return answer.exit_code
    return 0


def _found(app: App, tokens: Sequence[str], **given: Any) -> partial[Any]:
    """What the tokens name, with its arguments and those of the given things that it asks for.

    Raises:
        CycloptsError: They name nothing, or its arguments are wrong.
    """
    command, bound, asked = app.parse_args(tokens, exit_on_error=False, print_error=False)
    extra = {name: value for name, value in given.items() if name in asked}
    return partial(command, *bound.args, **bound.kwargs, **extra)


def run(argv: Sequence[str], *, ports: "Ports | None" = None, now: datetime | None = None) -> int:
    """One call of the command line.

    Args:
        argv: The arguments, without the program's name.
        ports: The model and the store's write verbs, where they are not the usual ones.
        now: The time of the call, where it is not that of the clock.

    Returns:
        The exit code.
    """
    flags = set(argv[: argv.index("--")] if "--" in argv else argv)
    show_warnings()

    def command() -> int:
        return int(_found(app.meta, argv, ports=ports, now=now)() or 0)

    return answer_or_explain(command, as_json="--json" in flags, debug="--debug" in flags)


def main() -> None:
    """The console script."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # other people's packages warn their programmers, not us
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:]))
