"""The keys of [webhook] and [[webhook.endpoints]]: where it listens, what it takes, from whom."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.ops.doctor import Case
from flows.ops.doctor.webhooks import look_at_warm_lane
from flows.ops.rest import Api
from flows.warm.life import Bounds
from flows.webhook.serve import listen
from tests.command_line import Cli
from tests.key_cases import case
from tests.machine import free_port
from tests.receiver import BODY, Receiver, configured, endpoint


def receiver(cli: Cli, *endpoints: str, more: str = "") -> Receiver:
    """Of the configuration with these endpoints, and with an inbox of its own."""
    root = Path(cli.project.root, f"{len(list(cli.project.root.iterdir()))}")
    root.mkdir()
    return Receiver(configured(root, *(endpoints or [endpoint("of-github", "github")]), more=more))


def place(cli: Cli, more: str) -> Any:
    with listen(receiver(cli, more=more).config) as listening:
        return listening.getsockname()


@case("webhook.host")
def _(cli: Cli) -> tuple[Any, Any]:
    port = f"port = {free_port()}\n"
    return place(cli, port), place(cli, port + 'host = "0.0.0.0"')


@case("webhook.port")
def _(cli: Cli) -> tuple[Any, Any]:
    return place(cli, f"port = {free_port()}"), place(cli, f"port = {free_port()}")


@case("webhook.max_body_bytes")
def _(cli: Cli) -> tuple[Any, Any]:
    def status(more: str) -> int:
        return receiver(cli, more=more).deliver("github").status_code

    return status(""), status(f"max_body_bytes = {len(BODY) - 1}")


@case("webhook.max_waiting")
def _(cli: Cli) -> tuple[Any, Any]:
    def statuses(more: str) -> list[int]:
        to = receiver(cli, more=more)
        return [to.deliver("github", id).status_code for id in ("one", "two")]

    return statuses(""), statuses("max_waiting = 1")


@case("webhook.warm")
def _(cli: Cli) -> tuple[Any, Any]:
    def lane(more: str) -> str:
        config = receiver(cli, more=more).config
        return look_at_warm_lane(Case(config, datetime.now(UTC), Api.of(config), False)).found

    return lane(""), lane("warm = false")


def leaves(cli: Cli, more: str, *, older_by: float = 0.0) -> str | None:
    """Why a lane that was warm so long ago leaves after its next run."""
    bounds = Bounds.of(receiver(cli, more=more).config)
    return replace(bounds, born=bounds.born - older_by).passed(after_run=True)


@case("webhook.warm_memory_mb")
def _(cli: Cli) -> tuple[Any, Any]:
    ballast = bytearray(400_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])  # memory counts once it is written to
    return leaves(cli, ""), leaves(cli, "warm_memory_mb = 256")


@case("webhook.warm_age")
def _(cli: Cli) -> tuple[Any, Any]:
    return leaves(cli, "", older_by=3600), leaves(cli, 'warm_age = "30m"', older_by=3600)


@case("webhook.endpoints.name")
def _(cli: Cli) -> tuple[Any, Any]:
    def status(name: str) -> int:
        return receiver(cli, endpoint(name, "github")).deliver("github").status_code

    return status("other"), status("of-github")


@case("webhook.endpoints.kind")
def _(cli: Cli) -> tuple[Any, Any]:
    def status(kind: str) -> int:
        made = endpoint("of-github", kind, secret="GITHUB_SECRET")  # noqa: S106 - a variable
        return receiver(cli, made).deliver("github").status_code

    return status("gitlab"), status("github")


@case("webhook.endpoints.sources")
def _(cli: Cli) -> tuple[Any, Any]:
    def asked(sources: str) -> set[str]:
        to = receiver(cli, endpoint("of-github", "github", sources))
        to.deliver("github")
        return set(to.waiting)

    return asked('["docs"]'), asked('["docs", "wiki"]')


@case("webhook.endpoints.secret_env")
def _(cli: Cli) -> tuple[Any, Any]:
    def status(variable: str) -> int:
        to = receiver(cli, endpoint("of-github", "github", secret=variable))
        return to.deliver("github").status_code

    return status("HMAC_SECRET"), status("GITHUB_SECRET")
