"""Adds an endpoint to a configuration file; whatever else stands in it stays as it is."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.config.loader import PREFIX, check_text, load_config
from pipelines.config.models import Config, Endpoint
from pipelines.config.starter import toml
from pipelines.errors import ConfigError

_TABLE = "[[webhook.endpoints]]"


def add_endpoint(config: Config, endpoint: Endpoint) -> Config:
    """Writes the endpoint into the file that the configuration came from.

    The file is replaced at once, and only by one that loads.

    Args:
        config: What the file says now.
        endpoint: The new one.

    Returns:
        What the file says from now on.

    Raises:
        UnknownName: It asks for a source that is not there.
        ConfigError: One of that name is there, its variable cannot be used, or it cannot be
            written into this file; the file is as it was.
    """
    for source in endpoint.sources:
        config.source(source)
    _check_name(config, endpoint)
    _check_variable(config, endpoint)
    file = config.path.resolve()  # a link stays one
    before = file.read_bytes()
    data = before + _table(endpoint, before)
    _check(data, config.path)
    with _beside(file, data) as new:
        loaded = load_config(new)
        if all(one.name != endpoint.name for one in loaded.webhook.endpoints):
            raise ConfigError(
                f"{PREFIX}WEBHOOK__ENDPOINTS (environment) says which endpoints there are; what the"
                " file says of them is not read.",
                hint="Unset it, or add the endpoint there.",
            )
        new.replace(file)
    return load_config(config.path)


def _check_name(config: Config, endpoint: Endpoint) -> None:
    if any(one.name == endpoint.name for one in config.webhook.endpoints):
        raise ConfigError(
            f"There is an endpoint {endpoint.name} in {config.path} already.",
            hint="Choose another name, or take it out of the file first: a new one has a new secret.",
        )


def _check_variable(config: Config, endpoint: Endpoint) -> None:
    variable = endpoint.secret_env
    other = next((e.name for e in config.webhook.endpoints if e.secret_env == variable), None)
    if other is not None:
        raise ConfigError(
            f"{variable} holds the secret of the endpoint {other}.",
            hint="Name another variable with --secret-env: each sender has a secret of its own.",
        )


def _table(endpoint: Endpoint, before: bytes) -> bytes:
    """The lines to add, with the ends of lines that the file has."""
    end = b"\r\n" if b"\r\n" in before else b"\n"
    keys = [f"{key} = {toml(getattr(endpoint, key))}" for key in Endpoint.model_fields]
    lines = [b"", *(line.encode() for line in (_TABLE, *keys)), b""]
    return (b"" if before.endswith(b"\n") else end) + end.join(lines)


def _check(data: bytes, file: Path) -> None:
    try:
        check_text(data.decode("utf-8-sig"), file)
    except ConfigError as error:
        if "not valid TOML" in error.message:
            error.message = f"{file} has its endpoints in another form than {_TABLE}."
            error.hint = f"Write each as a table {_TABLE}, or leave out a line endpoints = []."
        raise


@contextlib.contextmanager
def _beside(file: Path, data: bytes) -> Iterator[Path]:
    """A file in the same folder, with the rights of this one; gone afterwards, if still there."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        shutil.copymode(file, new)
        with contextlib.suppress(PermissionError):
            os.chown(new, file.stat().st_uid, file.stat().st_gid)
        yield new
    finally:
        new.unlink(missing_ok=True)
