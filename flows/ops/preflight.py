"""What is looked at before anything is started: each problem is one sentence, and nothing runs."""

import errno
import shutil
import socket

from flows.ops.database import check_database
from flows.ops.environment import auth_string, run_folder
from flows.webhook.signatures import check_secrets
from pipelines.config import Config
from pipelines.errors import ConfigError, ServerFailed, ServerUnavailable

LEAST_FREE_BYTES = 200_000_000
"""Database, logs and results of a server grow; with less, it ends in the middle of something."""

GIT_IGNORE = "*\n"


def check_before_start(config: Config) -> None:
    """Sees that the server can start.

    Raises:
        StaleproofError: The first problem.
    """
    auth_string(config)
    check_port(config)
    if config.webhook.endpoints:
        check_receiver(config)
    check_database(config)


def check_port(config: Config) -> None:
    """Sees that the server can listen where it is told to.

    Raises:
        ConfigError: This machine has no such address, or we may not listen there.
        ServerUnavailable: Somebody else listens there.
    """
    _check_listening("server", config.server.host, config.server.port)


def check_receiver(config: Config) -> None:
    """The same for the receiver of webhooks, and sees that it has its secrets.

    Raises:
        ConfigError: As above; or the secret of an endpoint is not there.
        ServerUnavailable: As above.
    """
    check_secrets(config)
    if (config.webhook.host, config.webhook.port) == (config.server.host, config.server.port):
        raise ConfigError(
            f"[webhook] port = {config.webhook.port} is the port of [server] too.",
            hint="Choose another one.",
        )
    _check_listening("webhook", config.webhook.host, config.webhook.port)


def _check_listening(section: str, host: str, port: int) -> None:
    where = f"[{section}] host = {host}, port = {port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise ConfigError(
            f"{where}: nobody knows a machine of that name.", hint="Use 127.0.0.1, or an address."
        ) from error
    except PermissionError as error:
        raise ConfigError(
            f"{where}: only root may listen on that port.", hint="Use a port from 1024 on."
        ) from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise ConfigError(
                f"{where}: this machine cannot listen there ({error.strerror}).",
                hint="Use 127.0.0.1, or an address of this machine.",
            ) from error
        raise ServerUnavailable(
            f"Port {port} is taken by another program{_by_whom(port)}.",
            hint=f"Stop it, or choose another port: [{section}] port, or"
            f" STALEPROOF_{section.upper()}__PORT.",
        ) from error


def _by_whom(port: int) -> str:
    import psutil

    try:
        pids = {
            found.pid
            for found in psutil.net_connections("tcp")
            if found.status == psutil.CONN_LISTEN and found.laddr[1:] == (port,) and found.pid
        }
        names = [f"{psutil.Process(pid).name()}, process {pid}" for pid in sorted(pids)]
    except (psutil.Error, OSError):
        return ""
    return f" ({'; '.join(names)})" if names else ""


def check_folder(config: Config) -> None:
    """Makes the folder, out of git, and sees that there is room.

    Raises:
        ServerFailed: There is none, or it cannot be written.
    """
    folder = run_folder(config)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE_BYTES:
            raise ServerFailed(
                f"The disk of {folder} is full: {free // 1_000_000:,} MB are free, and database"
                f" and logs of the server need {LEAST_FREE_BYTES // 1_000_000:,} MB.",
                hint="Make room, then start again.",
            )
        (folder / ".gitignore").write_text(GIT_IGNORE, encoding="utf-8")
    except OSError as error:
        raise ServerFailed(
            f"{folder} cannot be written: {error.strerror}.",
            hint="See its permissions, and the free space of its disk.",
        ) from error
