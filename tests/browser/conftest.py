"""A browser that reaches this machine only, and a project with a past that `staleproof up` serves."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.served import Site, Visitor, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve(tmp_path_factory.mktemp("project")) as served:
        yield served


# After the site: while Playwright runs, its loop keeps flows from running in this thread.
@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator["Browser"]:
    program = shutil.which("chromium")
    if program is None:
        missing = "there is no chromium: apt-get install chromium"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Inside a container there is often no user but root, for whom Chromium has no sandbox.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visitor(site: Site, browser: "Browser") -> Iterator[Visitor]:
    """A person with a fresh browser; whatever leaves the machine is stopped, and told."""
    folder = os.environ.get("SCREENSHOTS")
    shots = Path(folder) if folder else Path(__file__).parent / "screenshots"
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, timezone_id="UTC")
    context.set_default_timeout(30_000)
    visiting = Visitor(site, context, shots)
    yield visiting
    context.close()
    assert visiting.refused <= {KNOWN}, "a page asks another machine for something"


KNOWN = "sr-client-cfg.amplitude.com"
"""Prefect's own UI asks it for the settings of its usage statistics, whatever the server is told."""
