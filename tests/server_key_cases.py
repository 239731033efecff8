"""The keys of [server]: where the server is, what it keeps, who may ask and who is told."""

import socket
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from flows.ops.environment import server_environment
from tests.command_line import Cli
from tests.key_cases import case, configured
from tests.machine import free_port


def told(cli: Cli, server: str, code: int = 2) -> str:
    """What stops an ``up``: where nothing else does, that there is no prefect.yaml."""
    configured(cli, more=f"[server]\n{server}")
    return str(cli.json("up", code=code)["error"]["message"])


@case("server.host")
def _(cli: Cli) -> tuple[Any, Any]:
    port = f"port = {free_port()}\n"
    return told(cli, port), told(cli, port + 'host = "0.0.0.0"')


@case("server.port")
def _(cli: Cli) -> tuple[Any, Any]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        return told(cli, f"port = {free_port()}"), told(cli, f"port = {port}", code=4)


@case("server.database_url")
def _(cli: Cli) -> tuple[Any, Any]:
    port = f"port = {free_port()}\n"
    url = f"postgresql://me@127.0.0.1:{free_port()}/runs"
    return told(cli, port), told(cli, f'{port}database_url = "{url}"', code=4)


@case("server.auth_env")
def _(cli: Cli) -> tuple[Any, Any]:
    open_to_all = f'port = {free_port()}\nhost = "0.0.0.0"\n'
    return told(cli, open_to_all), told(cli, open_to_all + 'auth_env = "UI_LOGIN"')


@case("server.pool")
def _(cli: Cli) -> tuple[Any, Any]:
    def deployed(server: str) -> str:
        configured(cli, more=f"[server]\n{server}")
        file = cli.project.root / "prefect.yaml"
        file.unlink(missing_ok=True)
        cli("init", str(cli.project.root / "docs"))
        return file.read_text()

    return deployed(""), deployed('pool = "nights"')


@case("server.keep_runs_days")
def _(cli: Cli) -> tuple[Any, Any]:
    # Seen as what the runs page of the UI still has after so long.
    def kept(server: str) -> dict[str, str]:
        configured(cli, more=f"[server]\n{server}")
        return server_environment(cli.project.config, {})

    return kept(""), kept("keep_runs_days = 5")


class _Server:
    """One that has every deployment and every block."""

    def read_deployment_by_name(self, name: str) -> Any:
        return SimpleNamespace(id=UUID(int=1), name=name)

    def read_block_document_by_name(self, name: str, kind: str, **_: bool) -> Any:
        return SimpleNamespace(id=UUID(int=2), name=name, kind=kind)


@case("server.notify")
def _(cli: Cli) -> tuple[Any, Any]:
    from flows.ops.automations import _wanted

    def alarms(server: str) -> set[str]:
        configured(cli, more=f"[server]\n{server}")
        return set(_wanted(_Server(), cli.project.config, None))  # type: ignore[arg-type]

    return alarms(""), alarms('notify = "webhook/ops"')
