"""Asks the server's REST API without importing Prefect, which takes seconds and memory."""

import base64
import http.client
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flows.ops.environment import api_url, auth_string
from pipelines.config import Config

_CONNECTIONS = {"https": http.client.HTTPSConnection}


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
        """The answer, read as JSON.

        Raises:
            OSError: Nobody answers, or not what was asked for.
        """
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
            read = answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"no answer of an API: {type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise OSError(f"{method} {path} is answered {answer.status}")
        try:
            return json.loads(read) if read else None
        except ValueError as error:
            raise OSError(f"{method} {path} is not answered with JSON") from error

    def is_healthy(self, *, seconds: float = 5) -> bool:
        """Whether the server answers that it is well."""
        try:
            return self.ask("GET", "/health", seconds=seconds) is True
        except OSError:
            return False

    def is_well(self, *, seconds: float = 5) -> bool:
        """The same of what is no Prefect server: whether it answers ``/health`` with 2xx."""
        try:
            self.ask("GET", "/health", seconds=seconds)
        except OSError:
            return False
        return True
