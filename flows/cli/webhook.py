"""Commands about webhooks: letting a sender ask for refreshes, and trying whether that works."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.cli.arguments import waiting_seconds
from flows.cli.doors import Answer, Given, console_for
from flows.cli.render import show_attention
from flows.cli.words import lasting
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from flows.webhook.trial import Looked
    from pipelines.config import Config, Endpoint

webhook_app = App(name="webhook", help="Let others ask for refreshes, and try whether they can.")

Kind = Literal["github", "gitlab", "standard", "hmac"]
_PRINTED = Path("-")
_BASE = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?")


@webhook_app.command(name="add")
def webhook_add(
    kind: Kind,
    /,
    *,
    endpoint: str,
    source: tuple[str, ...],
    url: str | None = None,
    secret_env: str | None = None,
    workflow: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    session: Given,
) -> Answer:
    """Let a sender ask for refreshes: writes an endpoint into the configuration, makes its secret.

    The secret is printed this once and kept nowhere.

    Args:
        kind: How its deliveries are signed.
        endpoint: A new name, the last part of its address.
        source: Which source its deliveries are about; more than once for several.
        url: Where the sender reaches the receiver: https://hooks.example.org, say.
        secret_env: The variable that will hold the secret [default: WEBHOOK_SECRET_<ENDPOINT>].
        workflow: Write a GitHub Actions workflow that signs and posts into this new file; - prints it.
        session: Of this call.
    """
    from flows.webhook.enter import to_enter
    from flows.webhook.signing import new_secret
    from flows.webhook.workflow import workflow as write_workflow
    from pipelines.config import add_endpoint

    config = session.config()
    new = _endpoint(kind, endpoint, source, secret_env)
    address = f"{_base(config, url)}/hooks/{new.name}"
    text = write_workflow(new, address) if workflow else None
    with _written(None if workflow == _PRINTED else workflow, text or ""):
        add_endpoint(config, new)
    secret = new_secret(kind)
    data = {
        "endpoint": new.name,
        "kind": kind,
        "url": address,
        "secret": secret,
        "secret_env": new.secret_env,
        "sources": list(new.sources),
        "enter": to_enter(new, address, secret),
        "workflow": None if workflow in (None, _PRINTED) else str(workflow),
        "workflow_text": text,
        "attention": _attention(address),
        "config": str(config.path),
    }
    return Answer(data, partial(_show_added, workflow_text=text if workflow == _PRINTED else None))


def _endpoint(kind: Kind, name: str, sources: tuple[str, ...], variable: str | None) -> "Endpoint":
    """What the file will say; what is wrong in it is told when it is checked as a file."""
    from pipelines.config import Endpoint

    default = "WEBHOOK_SECRET_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    return Endpoint.model_construct(
        name=name,
        kind=kind,
        sources=tuple(dict.fromkeys(sources)),
        secret_env=default if variable is None else variable,
    )


def _base(config: "Config", url: str | None) -> str:
    from flows.ops.environment import receiver_url

    if url is None:
        return receiver_url(config)
    if not _BASE.fullmatch(url):
        raise ConfigError(
            f"--url {url}: must be http:// or https://, a host, and what else stands before /hooks.",
            hint="For example: --url https://hooks.example.org",
        )
    return url.rstrip("/")


def _attention(address: str) -> list[str]:
    from pipelines.config.values import is_loopback

    host = urlsplit(address).hostname or ""
    if not is_loopback(host):
        return []
    return [
        f"Only this machine reaches {host}. Other senders need the address that your proxy gives it:"
        " see infra/README.md, and --url."
    ]


@contextmanager
def _written(file: Path | None, text: str) -> Iterator[None]:
    """A new file, unless what follows fails."""
    if file is None:
        yield
        return
    if str(file).startswith("-"):
        raise ConfigError("--workflow needs the name of a file, or - to print it.")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError as error:
        raise ConfigError(f"There is a file {file} already.", hint="Name a new one.") from error
    try:
        yield
    except BaseException:
        file.unlink()
        raise


def _show_added(
    console: Console, data: dict[str, Any], now: datetime, *, workflow_text: str | None
) -> None:
    """A workflow that is printed is all that stands on stdout: it goes into a file."""
    del now
    if workflow_text:
        console.print(workflow_text.rstrip(), soft_wrap=True)
        console = console_for(stderr=True)
    told = (
        f"Endpoint {data['endpoint']} is in {data['config']}: its deliveries ask for a refresh of"
    )
    console.print(f"{told} {', '.join(data['sources'])}.\n", soft_wrap=True)
    console.print(
        "1. Set its secret where `staleproof up` runs. It is shown this once and kept nowhere:\n"
        f"   export {data['secret_env']}={data['secret']}\n"
        "2. Start again: staleproof down, staleproof up",
        soft_wrap=True,
    )
    if data["workflow_text"]:
        what = data["workflow"] or "the workflow"
        console.print(
            f"3. In the repository at GitHub set the secret {data['secret_env']} (Settings, Secrets"
            f" and variables, Actions), and commit {what}.",
            soft_wrap=True,
        )
    else:
        _show_fields(console, data)
    console.print(f"4. See that it works: staleproof webhook test {data['endpoint']}")
    show_attention(console, data["attention"])


def _show_fields(console: Console, data: dict[str, Any]) -> None:
    from flows.webhook.enter import PLACES

    console.print(f"3. Enter at {PLACES[data['kind']]}:")
    table = Table.grid(padding=(0, 2))
    for name, value in data["enter"].items():
        table.add_row(Text(f"   {name}"), Text(value, overflow="fold"))
    console.print(table)


@webhook_app.command(name="test")
def webhook_test(name: str, /, *, wait: str = "60s", session: Given) -> Answer:
    """Send a signed delivery of nothing to the receiver of this machine, and follow it.

    Args:
        name: The endpoint.
        wait: How long a run may take to have looked: 60s, 5m.
        session: Of this call.
    """
    from flows.webhook.trial import send, wait_until_looked

    config, seconds = session.config(), waiting_seconds(wait)
    endpoint = config.endpoint(name)
    sent = send(config, endpoint, os.environ)
    print(f"202: delivery {sent.id} is on disk; waiting for a run to look ...", file=sys.stderr)
    looked = wait_until_looked(config, sent, seconds)
    last = max(looked, key=lambda one: one.seconds)
    data = {
        "endpoint": endpoint.name,
        "kind": endpoint.kind,
        "status": 202,
        "delivery": sent.id,
        "sources": [_looked(config, one) for one in looked],
        "run": _link(config, last.run),
        "seconds": round(last.seconds, 3),
    }
    return Answer(data, _show_tested)


def _looked(config: "Config", looked: "Looked") -> dict[str, Any]:
    return {
        "source": looked.source,
        "run": _link(config, looked.run),
        "seconds": round(looked.seconds, 3),
    }


def _link(config: "Config", run: str) -> str | None:
    """The page of the run; a refresh that a person ran at a terminal has none."""
    from flows.links import Links
    from flows.ops.environment import base_url

    return Links(f"{base_url(config)}/v2").flow_run(run, "prefect")


def _show_tested(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    table = Table.grid(padding=(0, 2))
    table.add_row("delivery", Text(data["delivery"]), "202: it is on disk")
    for one in data["sources"]:
        where = one["run"] or "no run on the server: somebody refreshes at a terminal"
        said = f"looked at {lasting(one['seconds'])} after it was sent"
        table.add_row(Text(one["source"]), said, Text(where, overflow="fold"))
    console.print(table)
