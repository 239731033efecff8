"""Between a command and a person or a script: answers, errors, JSON and exit codes."""

import getpass
import json
import logging
import os
import secrets
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import CycloptsError, Parameter
from rich.console import Console
from rich.text import Text

from flows.cli.words import clean, scrub
from pipelines.errors import StaleproofError

if TYPE_CHECKING:
    from pipelines.config import Config
    from pipelines.knowledge import Signed
    from pipelines.refresh import Ports

INTERRUPTED = 130
PIPED_WIDTH = 120
"""Columns of a table where no terminal says how many there are."""


@dataclass(frozen=True, slots=True)
class Session:
    """What every command is given besides its own arguments."""

    config_path: Path | None
    json: bool
    now: datetime
    ports: "Ports | None" = None
    """What a test puts in the place of the model and the store's write verbs."""

    def config(self) -> "Config":
        """The configuration that this call is about.

        Raises:
            ConfigError: There is none, or something in it is wrong.
        """
        from pipelines.config import load_config

        return load_config(self.config_path)

    def ports_used(self) -> "Ports":
        """The model and the store's write verbs."""
        from pipelines.refresh import Ports

        return self.ports or Ports()

    def signed(self) -> "Signed":
        """Who decides, now, under a new run."""
        from pipelines.knowledge import Signed

        return Signed(self.new_run(), actor(), self.now)

    def new_run(self) -> str:
        """A name for a run: sorts by time, never used twice."""
        return f"{self.now:%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"


Given = Annotated[Session, Parameter(parse=False)]
"""How a command asks for its session."""


Show = Callable[[Console, dict[str, Any], datetime], None]
"""Prints JSON-like data, cleaned, for eyes; the time is that of the call."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command says: data for scripts, and how to show it to a person."""

    data: dict[str, Any]
    show: Show
    exit_code: int = 0


def actor() -> str:
    """Who runs this."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def console_for(*, stderr: bool = False) -> Console:
    """A console that prints what it is given: no markup, nothing guessed."""
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    return console


def say(answer: Answer, session: Session) -> None:
    """Prints an answer: one JSON object, or for eyes."""
    if session.json:
        print_json(answer.data)
        return
    console = console_for()
    if console.is_terminal:
        answer.show(console, scrub(answer.data), session.now)
        return
    with console.capture() as shown:
        answer.show(console, scrub(answer.data), session.now)
    # Tables fill their last column with blanks, which nobody wants in a file.
    print("\n".join(line.rstrip() for line in shown.get().splitlines()), flush=True)


def print_json(data: dict[str, Any]) -> None:
    """One object on stdout; ASCII only, so no terminal and no encoding can spoil it."""
    print(json.dumps(data, indent=2 if sys.stdout.isatty() else None), flush=True)


def answer_or_explain(command: Callable[[], int], *, as_json: bool, debug: bool) -> int:
    """Runs a command that prints its own answer, and turns what it raises into words.

    Args:
        command: Returns its exit code.
        as_json: Whether an error is printed as JSON.
        debug: Whether the traceback is printed too.

    Returns:
        The exit code.
    """
    try:
        return _answered(command, as_json=as_json, debug=debug)
    except OSError:
        # The reader of a pipe left, or nothing more can be written: what else Python would flush
        # at its end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _answered(command: Callable[[], int], *, as_json: bool, debug: bool) -> int:
    try:
        return command()
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the door: nothing passes unsaid
        if debug:
            traceback.print_exc()
        told = explain(error)
        if as_json:
            print_json({"error": {"type": told.kind, "message": told.message, "hint": told.hint}})
        else:
            show_error(told)
        return told.exit_code


@dataclass(frozen=True, slots=True)
class Told:
    """An error in words."""

    kind: str
    message: str
    hint: str
    exit_code: int


def explain(error: BaseException) -> Told:
    """What a person is told of an error, and the exit code."""
    kind = type(error).__name__
    match error:
        case StaleproofError():
            return Told(kind, error.message, error.hint, error.exit_code)
        case CycloptsError():
            # For scripts, a wrong argument is the same as a wrong setting.
            return Told("ConfigError", str(error), "See staleproof --help.", 2)
        case KeyboardInterrupt():
            hint = "What was done is kept; the same command goes on from there."
            return Told("Interrupted", "Interrupted.", hint, INTERRUPTED)
        case OSError():
            return Told(kind, f"The system refused: {error}", "", 1)
        case RuntimeError() | ValueError() if "lance" in str(error).lower() or "Table '" in str(
            error
        ):
            said = str(error).splitlines()[0][:200]
            hint = "See the permissions and the free space of [knowledge] store; staleproof verify."
            return Told("StoreError", f"The store cannot be read or written: {said}", hint, 1)
        case _:
            hint = "Run it again with --debug and report what it prints."
            return Told(kind, f"This is a bug in staleproof: {kind}: {error}", hint, 1)


def show_error(told: Told) -> None:
    """Message, and the hint on a line of its own, on stderr."""
    console = console_for(stderr=True)
    message = clean(told.message, lines=True)
    console.print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)
    if told.hint:
        console.print(Text(clean(told.hint, lines=True), "cyan"), soft_wrap=True)


class WarningLines(logging.Handler):
    """Prints what the engine warns of as plain lines on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line, on whatever stderr is now: a progress bar may have taken it over."""
        text = f"{record.levelname.lower()}: {clean(record.getMessage())}"
        print(text, file=sys.stderr)


def show_warnings() -> None:
    """Attaches the handler, once."""
    for name in ("pipelines", "flows"):
        logger = logging.getLogger(name)
        if not any(isinstance(h, WarningLines) for h in logger.handlers):
            logger.addHandler(WarningLines(logging.WARNING))
