"""Asks the server's REST API without importing Prefect, which takes seconds and memory."""

import base64
import http.client
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flows.ops.environment import api_url, auth_string
from pipelines.config import Config

_CONNECTIONS = {"https": http.client.HTTPSConnection}
_BUSY = 503
"""What Prefect's server answers where its database was held: nothing was done, ask again (its own
client does the same)."""
_AGAIN_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Api:
    """The API of a server, and how one says who one is."""

    url: str
    auth: str | None = None

    @classmethod
    def of(cls, config: Config) -> "Api":
        """The API of this project's own server."""
        return cls(api_url(config), auth_string(config))

    @classmethod
    def named(cls, env: Mapping[str, str] = os.environ) -> "Api | None":
        """The API of the server that the environment names, if it does."""
        url = env.get("PREFECT_API_URL", "").rstrip("/")
        return cls(url, env.get("PREFECT_API_AUTH_STRING") or None) if url else None

    def ask(self, method: str, path: str, body: object = None, *, seconds: float = 10) -> Any:
        """The answer, read as JSON; a server whose database is held is asked again meanwhile.

        Raises:
            OSError: Nobody answers, or not what was asked for, or the database was held to the end.
        """
        until = time.monotonic() + seconds
        while True:
            status, read = self._answer(method, path, body, seconds=seconds)
            if status != _BUSY or time.monotonic() + _AGAIN_SECONDS > until:
                break
            time.sleep(_AGAIN_SECONDS)
        if status >= 300:
            raise OSError(f"{method} {path} is answered {status}")
        try:
            return json.loads(read) if read else None
        except ValueError as error:
            raise OSError(f"{method} {path} is not answered with JSON") from error

    def _answer(
        self, method: str, path: str, body: object = None, *, seconds: float
    ) -> tuple[int, bytes]:
        try:
            parts = urlsplit(self.url)
            kind = _CONNECTIONS.get(parts.scheme, http.client.HTTPConnection)
            connection = kind(parts.hostname or "", parts.port, timeout=seconds)
        except (ValueError, http.client.InvalidURL) as error:
            raise OSError(f"not an address: {error}") from error
        headers = {"Content-Type": "application/json"}
        if self.auth:
            token = base64.b64encode(self.auth.encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"{parts.path}{path}", content, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"no answer of an API: {type(error).__name__}") from error
        finally:
            connection.close()

    def is_healthy(self, *, seconds: float = 5) -> bool:
        """Whether the server answers that it is well."""
        try:
            status, read = self._answer("GET", "/health", seconds=seconds)
        except OSError:
            return False
        return status < 300 and read.strip() == b"true"

    def is_well(self, *, seconds: float = 5) -> bool:
        """The same of what is no Prefect server: whether it answers ``/health`` with 2xx."""
        try:
            status, _ = self._answer("GET", "/health", seconds=seconds)
        except OSError:
            return False
        return status < 300
