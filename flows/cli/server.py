"""Commands up and down: a Prefect server, its worker and what it runs, on this machine."""

import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from flows.cli.doors import Answer, Given, Session, console_for, print_json
from flows.cli.render import table_of
from flows.cli.words import ago, clean, counted, lasting

if TYPE_CHECKING:
    from flows.ops.rest import Api
    from flows.ops.state import UpState
    from flows.ops.upcoming import Upcoming
    from pipelines.config import Config

_REDRAW_SECONDS = 1.0
_ASK_SECONDS = 10.0


def up(*, detach: bool = False, session: Given) -> Answer | None:
    """Run a Prefect server, its worker and the schedules of prefect.yaml on this machine.

    Stays in the foreground and shows what goes on; Ctrl-C stops everything in order.

    Args:
        detach: Go on in the background, once it is ready; staleproof down stops it.
        session: Of this call.
    """
    from flows.ops.state import running

    config = session.config()
    there = running(config)
    if there is not None:
        return Answer(up_data(config, there, already=True), show_up)
    if not detach:
        _in_foreground(config, session)
        return None
    from flows.ops.detached import start_detached

    start_detached(config, _print_step)
    state = running(config)
    if state is None:
        from pipelines.errors import ServerFailed

        raise ServerFailed("It ended as soon as it was ready.", hint="See .staleproof/logs.")
    return Answer(up_data(config, state), show_up)


def down(*, session: Given) -> Answer:
    """Stop what up started, and see that nothing of it is left."""
    from flows.ops.down import take_down

    stopped = take_down(session.config())
    data = {"stopped": stopped.processes, "killed_before": stopped.killed_before}
    return Answer(data, _show_down)


def up_data(config: "Config", state: "UpState", *, already: bool = False) -> dict[str, Any]:
    """The JSON of up: where everything is, and its processes."""
    from flows.ops.environment import api_url, logs_folder, receiver_url

    return {
        "already": already,
        "ready": state.ready,
        "since": state.since,
        "addresses": {
            "runs": f"{state.url}/v2/",
            "artifacts": f"{state.url}/v2/artifacts",
            "deployments": f"{state.url}/v2/deployments",
            "api": api_url(config),
            **({"webhooks": f"{receiver_url(config)}/hooks/"} if config.webhook.endpoints else {}),
            "logs": str(logs_folder(config)),
        },
        "database": state.database,
        "processes": [
            {
                "name": one.name,
                "pid": one.process.pid if one.process else None,
                "since": one.since,
                "restarts": one.restarts,
                "log": one.log,
            }
            for one in state.processes
        ],
    }


def show_up(console: Console, data: dict[str, Any], now: datetime) -> None:
    """Addresses, the database, and a line a process."""
    if data["already"]:
        ready = "It already runs" if data["ready"] else "It is being started"
        console.print(f"{ready}, since {ago(data['since'], now)}.\n")
    console.print(_addresses(data))
    console.print()
    console.print(_processes(data, now))
    console.print("\nTo stop it: staleproof down")


def _addresses(data: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, address in (*data["addresses"].items(), ("database", data["database"])):
        table.add_row(Text(name, "dim"), Text(address, overflow="fold"))
    return table


def _processes(data: dict[str, Any], now: datetime) -> Table:
    table = table_of("process", "pid", "started", "restarts", right=("pid", "restarts"))
    for one in data["processes"]:
        waits = Text("is started again", "yellow")
        pid = Text(str(one["pid"])) if one["pid"] else waits
        table.add_row(one["name"], pid, ago(one["since"], now), str(one["restarts"]))
    return table


def _show_down(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    if not data["stopped"]:
        console.print("Nothing was running.")
    elif data["killed_before"]:
        count = counted(data["stopped"], "process")
        console.print(f"It had been killed; what it left was stopped ({count}).")
    else:
        console.print("Stopped; nothing of it is left running.")


def _print_step(step: str) -> None:
    print(f"{clean(step)} ...", file=sys.stderr, flush=True)


def _in_foreground(config: "Config", session: Session) -> None:
    from flows.ops.rest import Api
    from flows.ops.signals import stopped_by_signals
    from flows.ops.supervise import StopAsked
    from flows.ops.up import Listener, keep_up

    stopping = threading.Event()
    screen = _Screen(config, Api.of(config), session.json)
    listener = Listener(_print_step, screen.ready, screen.tick)
    try:
        with stopped_by_signals(stopping), screen:
            keep_up(config, listener=listener, stopping=stopping)
    except StopAsked:
        pass
    print("Stopped; nothing of it is left running.", file=sys.stderr, flush=True)


class _Screen:
    """What a person sees of an ``up`` in the foreground: drawn anew on a terminal, else lines."""

    def __init__(self, config: "Config", api: "Api", as_json: bool) -> None:
        self.config, self.api, self.as_json = config, api, as_json
        self.console = console_for(stderr=as_json)
        self.live: Live | None = None
        self.drawn_at = 0.0
        self.upcoming: tuple[Upcoming, ...] | None = None
        self.ended = threading.Event()

    def __enter__(self) -> "_Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        if self.live is not None:
            self.live.stop()

    def ready(self, state: "UpState") -> None:
        """Once: the addresses. From then on the status."""
        data = up_data(self.config, state)
        if self.as_json:
            print_json(data)
            return
        self.console.print()
        self.console.print(_addresses(data))
        if self.console.is_terminal:
            threading.Thread(target=self._keep_asking, daemon=True).start()
            self.live = Live(console=self.console, auto_refresh=False)
            self.live.start()
        else:
            self.console.print("\nReady. To stop it: Ctrl-C, or staleproof down")

    def tick(self, state: "UpState") -> None:
        """Draws it anew, on a terminal; elsewhere the supervisor's warnings say what is new."""
        if self.live is not None and time.monotonic() - self.drawn_at > _REDRAW_SECONDS:
            self.drawn_at = time.monotonic()
            self.live.update(self._drawn(state), refresh=True)

    def _drawn(self, state: "UpState") -> Group:
        now = datetime.now(UTC)
        parts: list[Any] = ["", _processes(up_data(self.config, state), now), ""]
        if self.upcoming is None:
            parts.append(Text("The server does not answer now.", "yellow"))
        else:
            parts.append(_upcoming_table(self.upcoming, now))
        return Group(*parts, "\nCtrl-C stops it.")

    def _keep_asking(self) -> None:
        from flows.ops.upcoming import read_upcoming

        while not self.ended.is_set():
            try:
                self.upcoming = read_upcoming(self.api)
            except OSError:
                self.upcoming = None
            self.ended.wait(_ASK_SECONDS)


def _whole(seconds: int) -> str:
    return f"{seconds} s" if seconds < 10 else lasting(seconds)


def _upcoming_table(upcoming: "tuple[Upcoming, ...]", now: datetime) -> Table:
    table = table_of("run", "when", "waits for")
    for one in upcoming:
        seconds = round((datetime.fromisoformat(one.at) - now).total_seconds())
        when = f"in {_whole(seconds)}" if seconds > 0 else f"for {_whole(-seconds)}"
        table.add_row(clean(one.name), when, one.waits_for or Text("runs", "green"))
    return table
