"""The wheel works where it is installed, whatever folder a person stands in."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def pip(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        check=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel is installed, without what it depends on."""
    built = tmp_path_factory.mktemp("built")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(built), str(ROOT))
    (wheel,) = built.glob("staleproof-*.whl")
    site = tmp_path_factory.mktemp("site")
    pip("install", "--no-deps", "--target", str(site), str(wheel))
    return site


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with a ``flows`` package of its own, as users of Prefect have."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/__init__.py").write_text("raise SystemExit('the wrong flows')\n")
    return tmp_path


def run(site: Path, cwd: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(site), os.environ["PYTHONPATH"]))
    }
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_wheel_holds_both_packages_and_nothing_else(site: Path) -> None:
    packages = {path.name for path in site.iterdir() if (path / "__init__.py").exists()}
    assert packages == {"flows", "pipelines"}
    assert {path.name for path in site.iterdir()} - packages <= {
        "bin",
        f"staleproof-{VERSION}.dist-info",
    }
    assert list(site.glob("*.dist-info/licenses/LICENSE"))


def test_wheel_holds_what_is_read_beside_the_code(site: Path) -> None:
    beside = [
        "quality/builtin/documents.json",
        "pages/audit.html",
        "pages/watch.html",
        "pages/page.html",
        "pages/page.css",
    ]
    assert all((site / "pipelines" / path).is_file() for path in beside)
    beside = ["ops/prefect.yaml", "ops/infra/automations/run-again.yaml"]
    assert all((site / "flows" / path).is_file() for path in beside)


def test_engine_of_the_wheel_loads_in_a_foreign_folder(site: Path, foreign: Path) -> None:
    code = "import pipelines.embedding as room; print(room.__file__)"
    # The working directory does not come first in sys.path, as for a console script.
    run_ = run(site, foreign, sys.executable, "-P", "-c", code)
    assert run_.stderr == ""
    assert Path(run_.stdout.strip()).is_relative_to(site)


@pytest.mark.skipif(not (ROOT / "flows/cli").exists(), reason="there is no command line yet")
def test_command_is_immune_to_a_foreign_flows_package(site: Path, foreign: Path) -> None:
    result = run(site, foreign, str(site / "bin/staleproof"), "--version")
    assert result.stderr == ""
    assert VERSION in result.stdout
    assert result.returncode == 0
