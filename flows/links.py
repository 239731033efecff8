"""Addresses of pages in Prefect's own UI: artifacts, runs, and run forms that are filled in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from flows.holds import to_decide

SHOWN = {
    "knowledge": "overview",
    "refresh": "last refresh",
    "audit": "last audit",
    "quarantine": "quarantine",
}
"""Kinds of artifacts, whose keys end in the name of the knowledge base, and their titles."""

SHOWN_OF_MODELS = ("drift", "evaluation")
"""Kinds of artifacts whose keys end in the name of a model."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment as the server knows it."""

    id: UUID
    parameters: Mapping[str, Any]
    """What its runs get unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses for one knowledge base; each is None where there is nothing to lead to."""

    base: str | None = None
    deployments: Mapping[str, Deployed] = field(default_factory=dict)
    """By ``<flow>/<deployment>``."""
    keys: frozenset[str] = frozenset()
    """Of the artifacts that are there."""

    def run_form(self, deployment: str, parameters: Mapping[str, Any]) -> str | None:
        """The page that runs a deployment, its form filled in; nothing runs before a person says so.

        The form takes the parameters of the address for all there are: what the deployment sets
        itself is among them.
        """
        known = self.deployments.get(deployment)
        if known is None or self.base is None:
            return None
        filled = json.dumps(
            {**known.parameters, **parameters}, ensure_ascii=False, separators=(",", ":")
        )
        page = f"{self.base}/deployments/deployment/{known.id}/run"
        return f"{page}?parameters={quote(filled, safe='')}"

    def decision(self, knowledge: str, action: str, subject: str = "") -> str | None:
        """The run form of ``decide``, filled in but for who decides and why."""
        filled = {"action": action, "subject": subject} if subject else {"action": action}
        return self.run_form(f"decide/{knowledge}", filled)

    def to_decide(self, knowledge: str, hold: str) -> str:
        """How to decide a hold, as Markdown: links to the form, else the commands."""
        accept = self.decision(knowledge, "accept", hold)
        drop = self.decision(knowledge, "drop", hold)
        if accept is None:
            return " or ".join(f"`{command}`" for command in to_decide(hold))
        return f"[accept]({accept}) or [drop]({drop})<br>`{hold}`"

    def to_release(self, knowledge: str, uri: str) -> str:
        """How to let a document out of quarantine, as Markdown."""
        form = self.decision(knowledge, "release", uri)
        return f"[release]({form})" if form else "`staleproof quarantine release`"

    def with_page(self, kind: str, knowledge: str) -> "Links":
        """The same, with one more page that is there, or will be when this one is read."""
        return replace(self, keys=self.keys | {f"{kind}-{knowledge}"})

    def pages(self, knowledge: str, *, but: str) -> str:
        """The other pages of a knowledge base, as a line of Markdown; empty where there is none."""
        others = [(kind, title) for kind, title in SHOWN.items() if kind != but]
        found = ((title, self.artifact_page(f"{kind}-{knowledge}")) for kind, title in others)
        shown = [f"[{title}]({page})" for title, page in found if page]
        return f"Pages: {' · '.join(shown)}" if shown else ""

    def artifact_page(self, key: str) -> str | None:
        """The newest version of an artifact, and the time line of all."""
        return artifact_page(key, self.base) if key in self.keys else None

    def version_page(self, artifact: UUID) -> str | None:
        """One version of an artifact."""
        return None if self.base is None else f"{self.base}/artifacts/artifact/{artifact}"

    def flow_run(self, run: str, actor: str) -> str | None:
        """The page of a flow run, by the engine's name of the run; other runs have none."""
        if self.base is None or not actor.startswith("prefect"):
            return None
        try:
            return f"{self.base}/runs/flow-run/{UUID(run.partition('-')[0])}"
        except ValueError:
            return None


NOWHERE = Links()
"""Without a server."""


def ui_url() -> str | None:
    """Where a person opens the UI; None where no server is configured.

    PREFECT_UI_URL says so where it is not where the API is, behind a proxy for instance.
    """
    from prefect.settings import PREFECT_UI_URL

    url = str(PREFECT_UI_URL.value() or "").rstrip("/")
    return None if not url else url if url.endswith("/v2") else f"{url}/v2"


def artifact_page(key: str, base: str | None = None) -> str | None:
    """The page of an artifact, whether it is there or not.

    Args:
        key: Of the artifact.
        base: Where the UI is; what Prefect's settings say, by default.
    """
    base = base or ui_url()
    return None if base is None else f"{base}/artifacts/key/{key}"


async def find_links(knowledge: str, models: Sequence[str] = ()) -> Links:
    """Asks the server what a knowledge base has, once for all links of a page.

    Links lead from one page of the UI to another: they begin at the root of whatever host the
    reader has it open at, which a tunnel or a container's network may call by another name.

    Args:
        knowledge: Its name.
        models: Names of its models, where the page says something of them.
    """
    url = ui_url()
    if url is None:
        return NOWHERE
    keys = [f"{kind}-{knowledge}" for kind in SHOWN]
    keys += [f"{kind}-{model}" for model in models for kind in SHOWN_OF_MODELS]
    return Links(urlsplit(url).path, await _deployments(knowledge), await _there(keys))


async def _deployments(knowledge: str) -> dict[str, Deployed]:
    """Read as JSON: a client's deployment looks through all time zones for each schedule."""
    from prefect import get_client

    only = {"deployments": {"name": {"any_": [knowledge, f"{knowledge}-recheck"]}}}
    async with get_client() as client:
        found = (await client.request("POST", "/deployments/filter", json=only)).json()
        flows = (await client.request("POST", "/flows/filter", json=only)).json() if found else []
    names = {flow["id"]: flow["name"] for flow in flows}
    return {
        f"{names[one['flow_id']]}/{one['name']}": Deployed(UUID(one["id"]), one["parameters"] or {})
        for one in found
        if one["flow_id"] in names
    }


async def _there(keys: Sequence[str]) -> frozenset[str]:
    """Those of the keys that have an artifact; counted, for to read them would fetch their pages."""
    from prefect import get_client

    there = set()
    async with get_client() as client:
        for key in keys:
            only = {"artifacts": {"key": {"any_": [key]}}}
            answer = await client.request("POST", "/artifacts/latest/count", json=only)
            if answer.json():
                there.add(key)
    return frozenset(there)
