"""A project that is served, what happened to it before, and a person who looks at its pages."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import yaml
from prefect import flow, get_client, tags
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_HOME,
    PREFECT_LOGGING_TO_API_BATCH_INTERVAL,
    PREFECT_UI_URL,
    temporary_settings,
)

from flows.ops.environment import api_url, base_url, prefect_home
from flows.ops.starter import prefect_yaml
from flows.refresh import refresh, refresh_documents
from pipelines.config import Config, load_config
from pipelines.refresh import Request
from tests.flows.runs import CONFIG, PORTS, run, until
from tests.machine import forget_the_server, free_port

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

NAME = "handbook"
PART = "All quokkas hold to this rule, and nobody else does. " * 12


@flow(name="refresh")
async def scheduled(config: str) -> State[Any]:
    """The body of the flow as the schedule starts it, with another model."""
    request = Request(actor="prefect: schedule")
    return await refresh_documents(Path(config), request, ports=PORTS)


@dataclass(frozen=True)
class Site:
    """What is served, and the runs that it had."""

    config: Config
    runs: dict[str, FlowRun]

    @property
    def ui(self) -> str:
        return f"{base_url(self.config)}/v2"

    def settings(self) -> Any:
        """Settings of Prefect for flows that run in this process."""
        return temporary_settings(
            {
                PREFECT_API_URL: api_url(self.config),
                PREFECT_UI_URL: base_url(self.config),
                PREFECT_HOME: prefect_home(self.config),
                PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
                PREFECT_LOGGING_TO_API_BATCH_INTERVAL: 0.1,
            }
        )

    def newest_page(self, kind: str) -> str:
        """Where the newest version of an artifact is shown."""
        key = ArtifactCollectionFilterKey(any_=[f"{kind}-{NAME}"])
        with self.settings(), get_client(sync_client=True) as client:
            [found] = client.read_latest_artifacts(
                artifact_filter=ArtifactCollectionFilter(key=key)
            )
        return f"/artifacts/artifact/{found.latest_id}"

    def newest_run(self, of: str) -> FlowRun:
        """The newest run whose name begins so, once it has ended."""

        def look() -> FlowRun | None:
            with self.settings(), get_client(sync_client=True) as client:
                found = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=50)
            ended = (r for r in found if r.name.startswith(of) and r.state and r.state.is_final())
            return next(ended, None)

        deadline = time.monotonic() + 120
        while (seen := until(look, lambda run: run is not None)) is None:
            assert time.monotonic() < deadline, f"no run of {of} ended"
        return seen


def staleproof(folder: Path, *words: str) -> None:
    """The command line as a person uses it."""
    program = Path(sys.executable).with_name("staleproof")
    done = subprocess.run(
        [program, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def serve(folder: Path) -> Iterator[Site]:
    """Serves a new project with ``staleproof up``, with a few runs behind it."""
    docs = folder / "docs"
    docs.mkdir()
    _write(docs)
    settings = CONFIG.format(name=NAME) + f"[server]\nport = {free_port()}\n"
    (folder / "staleproof.toml").write_text(settings)
    deployed = yaml.safe_load(prefect_yaml(knowledge=NAME, config="staleproof.toml"))
    for deployment in deployed["deployments"]:
        deployment.pop("schedules", None)  # nothing runs but what a test runs
    (folder / "prefect.yaml").write_text(yaml.safe_dump(deployed))
    site = Site(load_config(folder / "staleproof.toml"), {})
    try:
        staleproof(folder, "up", "--detach")
        with site.settings(), tags("staleproof", f"kb:{NAME}"):
            _live(site, docs)
        yield site
    finally:
        forget_the_server()
        staleproof(folder, "down")


def _write(docs: Path) -> None:
    for name in ("leave", "pay", "travel", "parental", "sick", "remote"):
        text = f"# About {name}\n\nAll quokkas get {name} in the month of May.\n"
        (docs / f"{name}.md").write_text(text)
    parts = (f"## Part {n}\n\nRule {n}. {PART}" for n in range(60))
    (docs / "rules.md").write_text("\n\n".join(["# Rules", *parts]))


def _live(site: Site, docs: Path) -> None:
    """What happened so far: published, changed, broken, waiting for a person, and a mistake."""
    path = site.config.path
    site.runs["first"] = run(scheduled, path)[1]
    (docs / "pay.md").write_text("# About pay\n\nQuokkas are paid in June.\n")
    (docs / "bikes.md").write_text("# About bikes\n\nEvery quokka may have one.\n")
    (docs / "notes.md").write_bytes("Quokkas \xff".encode("latin-1"))
    card = "-".join(("4929", "1273", "6251", "4" + "110"))
    (docs / "cards.md").write_text(f"# Cards\n\nQuokkas pay with {card}.\n")
    site.runs["second"] = run(scheduled, path)[1]
    for gone in ("leave", "travel", "sick", "remote"):
        (docs / f"{gone}.md").unlink()
    (docs / "rules.md").write_text("# Rules\n\nNo quokkas, no rules.\n")
    site.runs["held"] = run(scheduled, path)[1]
    site.runs["mistake"] = run(refresh, path, sources=["hanbook"])[1]


@dataclass
class Visitor:
    """A person with a browser."""

    site: Site
    context: "BrowserContext"
    shots: Path
    refused: set[str] = field(default_factory=set)
    """Other machines that pages asked for something."""

    def __post_init__(self) -> None:
        self.context.route("**/*", self._guard)
        self.page: Page = self.context.new_page()

    def _guard(self, route: "Route") -> None:
        host = urlsplit(route.request.url).hostname or ""
        if host in ("127.0.0.1", "localhost"):
            route.continue_()
            return
        self.refused.add(host)
        route.abort()

    def open(self, path: str, sees: str) -> str:
        """Opens a page of the UI, and waits until it shows something; all its text."""
        self.page.goto(path if path.startswith("http") else f"{self.site.ui}{path}")
        self.page.get_by_text(sees).first.wait_for()
        self.page.wait_for_load_state("networkidle")
        return self.text()

    def reads(self, said: Sequence[str]) -> str:
        """All text of the page, once all of it that is waited for is there."""
        missing = until(
            lambda: [s for s in said if s not in self.text()], lambda m: not m, seconds=60
        )
        assert missing == []
        return self.text()

    def text(self) -> str:
        """What a person reads, with runs of blanks as one."""
        return re.sub(r"[^\S\n]+", " ", self.page.inner_text("main"))

    def shoot(self, name: str) -> None:
        """Keeps a picture of the whole page."""
        self.shots.mkdir(parents=True, exist_ok=True)
        # The page scrolls inside itself: the window is made as high as what it holds.
        height = self.page.evaluate(
            "Math.max(...[...document.querySelectorAll('*')].map(e => e.scrollHeight))"
        )
        self.page.set_viewport_size({"width": 1440, "height": min(max(int(height), 600), 4000)})
        self.page.screenshot(path=self.shots / f"{name}.png")
        self.page.set_viewport_size({"width": 1440, "height": 1000})

    def follow(self, link: str) -> str:
        """The address of a link on the page, by what it says."""
        address = self.page.get_by_role("link", name=link, exact=True).first.get_attribute("href")
        assert address
        return address


def filled(address: str) -> dict[str, Any]:
    """The parameters in the address of a run form."""
    said: dict[str, Any] = json.loads(parse_qs(urlsplit(address).query)["parameters"][0])
    return said
