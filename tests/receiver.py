"""A receiver in this process: its configuration, its clock, deliveries to it, what it kept."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from flows.webhook.app import make_app
from flows.webhook.signing import sign
from pipelines.config import Config, HookKind, load_config
from pipelines.inbox import Inbox, Wish, inbox_of
from tests.project import source

SECRETS = {
    "GITHUB_SECRET": "of github",
    "GITLAB_SECRET": "of gitlab, größer",
    "STANDARD_SECRET": "whsec_plJ3nmyCDGBKInavdOK15jsl",
    "HMAC_SECRET": "of hmac",
}
BODY = b'{"commits": []}'


def endpoint(name: str, kind: str, sources: str = '["docs"]', secret: str = "") -> str:
    """One ``[[webhook.endpoints]]``."""
    secret = secret or f"{kind.upper()}_SECRET"
    return (
        f'[[webhook.endpoints]]\nname = "{name}"\nkind = "{kind}"\nsources = {sources}\n'
        f'secret_env = "{secret}"\n'
    )


def configured(root: Path, *endpoints: str, more: str = "") -> Config:
    """A configuration of two sources, with an endpoint of each kind where none is given."""
    kinds = ("github", "gitlab", "standard", "hmac")
    text = f'[knowledge]\nname = "kb"\nstore = "store"\n[webhook]\n{more}\n'
    text += source("docs") + source("wiki")
    text += "".join(endpoints or [endpoint(f"of-{kind}", kind) for kind in kinds])
    (root / "docs").mkdir(exist_ok=True)
    file = root / "staleproof.toml"
    file.write_text(text)
    return load_config(file, env={})


@dataclass
class Receiver:
    """An app and what one does with it."""

    config: Config
    env: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    told: list[Any] = field(default_factory=list)
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.app = make_app(self.config, self.env, clock=lambda: self.now, tell=self._tell)

    def _tell(self, config: Config, happened: Any, *, at: datetime) -> None:
        del config, at
        self.told.append(happened)

    def signed(self, kind: HookKind, id: str = "one", body: bytes = BODY) -> dict[str, str]:
        """The headers of a good delivery."""
        secret = SECRETS[f"{kind.upper()}_SECRET"]
        headers = sign(kind, secret, body, id=id, now=self.now)
        return {name.lower(): value for name, value in headers.items()}

    def deliver(self, kind: HookKind, id: str = "one", body: bytes = BODY) -> httpx.Response:
        """A good delivery to the endpoint of that kind."""
        return self.post(f"of-{kind}", self.signed(kind, id, body), body)

    def post(
        self,
        name: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterator[bytes] = BODY,
    ) -> httpx.Response:
        # As the sender's bytes: header values are not ASCII only.
        sent = [(key.encode(), value.encode()) for key, value in (headers or {}).items()]
        return self._asked("POST", f"/hooks/{name}", headers=sent, content=body)

    def get(self, path: str) -> httpx.Response:
        return self._asked("GET", path)

    def _asked(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://hooks") as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())

    @property
    def inbox(self) -> Inbox:
        return inbox_of(self.config.store_uri)

    @property
    def waiting(self) -> dict[str, Wish]:
        return self.inbox.waiting()
