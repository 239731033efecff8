"""The command line as a person uses it: the installed program, processes, the real model."""

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipelines.embedding import load_encoder
from tests.fakes import HashEncoder
from tests.project import Project

PROGRAM = Path(sys.executable).with_name("staleproof")

HEAVY = ("torch", "transformers", "sentence_transformers", "great_expectations", "pandas")
AUDITING = ("detect_secrets", "ftfy", "jinja2", "py3langid", "stdnum")
"""What is imported where there is something to audit, and not before."""
FORBIDDING = """
import sys
from importlib.machinery import ModuleSpec

class Forbidden:
    # To look whether a package is there is allowed, as LanceDB does.
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name.split(".")[0] in {names} else None

    def create_module(self, spec):
        raise ImportError(f"{{spec.name}} is imported")

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Forbidden())
from flows.cli import main
main()
"""

LEAVE = """# Annual leave

Everybody has 25 days of annual leave.

## Carrying over

Up to {days} unused days can be carried over until the end of March.
"""


@dataclass
class Person:
    """Somebody in a folder, with the program."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def types(self, *argv: str, program: tuple[str, ...] = (str(PROGRAM),)) -> Any:
        env = {k: v for k, v in os.environ.items() if not k.startswith("STALEPROOF_")}
        return subprocess.run(
            [*program, *argv],
            cwd=self.folder,
            env=env | self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def reads(self, *argv: str, code: int = 0) -> str:
        """What stands on stdout."""
        done = self.types(*argv)
        assert done.returncode == code, done.stderr
        return str(done.stdout)

    def asks(self, *argv: str, code: int = 0) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.reads(*argv, "--json", code=code))
        return said

    def forbids(self, names: tuple[str, ...], *argv: str) -> Any:
        """The same with packages that cannot be imported."""
        code = FORBIDDING.format(names=set(names))
        return self.types(*argv, program=(sys.executable, "-c", code))


@pytest.fixture(scope="session")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Person:
    """Somebody who has just published a wiki of their own."""
    folder = tmp_path_factory.mktemp("person")
    wiki = folder / "wiki"
    wiki.mkdir()
    (wiki / "leave.md").write_text(LEAVE.format(days="five"))
    (wiki / "pay.md").write_text("# Pay\n\nSalaries are paid on the 25th of each month.\n")
    (wiki / "travel.md").write_text("# Travel\n\nTrains are booked in second class.\n")
    person = Person(folder)
    assert "Next: staleproof refresh" in person.reads("init", "wiki")
    assert "wiki #1 published" in person.reads("refresh")
    return person


@pytest.mark.slow  # each of three processes imports the real model
def test_edit_is_found_afterwards_and_a_rollback_takes_it_back(writer: Person) -> None:
    question = ("search", "how many days of leave can be carried over?", "-k", "1")
    (writer.folder / "wiki" / "leave.md").write_text(LEAVE.format(days="eight"))
    said = writer.asks("refresh")
    assert (said["published"], said["documents"]["changed"]) == (True, 1)
    assert (said["chunks"]["embedded"], said["chunks"]["reused"]) == (1, 1)
    (hit,) = writer.asks(*question)["hits"]
    assert "eight unused days" in hit["text"]
    assert (hit["uri"], hit["heading"]) == ("wiki/leave.md", "Carrying over")
    assert "Readers see #1 again" in writer.reads("rollback")
    assert "Pinned" in writer.reads("status")
    assert "Refreshes publish again" in writer.reads("unpin")


@pytest.fixture
def published(tmp_path: Path) -> Person:
    """Somebody whose store was made with a stand-in that passes for the real model."""
    real = load_encoder("all-MiniLM-L6-v2", root=tmp_path)
    project = Project(tmp_path, HashEncoder(384, real.fingerprint, real.model))
    project.write("a.md", "# A\n\nText.\n")
    project.configure()
    project.refresh()
    return Person(tmp_path)


def test_refresh_without_a_change_imports_nothing_heavy(published: Person) -> None:
    done = published.forbids((*HEAVY, *AUDITING, "prefect"), "refresh", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reason"] == "nothing changed"


@pytest.mark.parametrize("argv", [["status"], ["holds"], ["quarantine", "list"], ["history"]])
def test_asking_imports_nothing_heavy(published: Person, argv: list[str]) -> None:
    done = published.forbids((*HEAVY, *AUDITING, "prefect"), *argv, "--json")
    assert done.returncode == 0, done.stderr


def test_refresh_with_a_change_is_what_the_ban_forbids(published: Person) -> None:
    (published.folder / "docs" / "a.md").write_text("# A\n\nOther.\n")
    done = published.forbids(HEAVY, "refresh", "--json")
    assert done.returncode == 1
    assert "is imported" in json.loads(done.stdout)["error"]["message"]


@pytest.mark.parametrize("argv", [["--help"], ["refresh", "--help"], ["--version"], ["nonsense"]])
def test_help_imports_no_engine(argv: list[str], tmp_path: Path) -> None:
    light = (*HEAVY, *AUDITING, "prefect", "lancedb", "lance", "pyarrow", "numpy", "pydantic")
    done = Person(tmp_path).forbids(light, *argv)
    assert done.returncode == (2 if argv == ["nonsense"] else 0), done.stderr


def test_mistakes_are_told_without_a_traceback(tmp_path: Path) -> None:
    person = Person(tmp_path)
    for argv in (["status"], ["refresh", "--nonsense"], ["nonsense"], ["accept"]):
        done = person.types(*argv)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr
    assert person.asks("status", code=2)["error"]["type"] == "ConfigError"


def test_configuration_is_found_by_option_then_variable_then_folder(
    published: Person, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = published.folder / "staleproof.toml"
    elsewhere = Person(tmp_path_factory.mktemp("elsewhere"))
    assert elsewhere.asks("status", code=2)["error"]
    assert elsewhere.asks("status", "--config", str(file))["publication"] == 1
    elsewhere.env["STALEPROOF_CONFIG"] = str(file)
    assert elsewhere.asks("status")["publication"] == 1
    elsewhere.env["STALEPROOF_KNOWLEDGE__STORE"] = "other"
    assert elsewhere.asks("status")["publication"] is None
    assert elsewhere.asks("--config", "none.toml", "status", code=2)["error"]


def test_reader_who_leaves_the_pipe_breaks_nothing(published: Person) -> None:
    done = published.types("-c", f"{PROGRAM} history | true", program=("bash",))
    assert (done.returncode, done.stderr) == (0, "")


def test_output_that_cannot_show_a_letter_is_no_error(published: Person) -> None:
    (published.folder / "docs" / "größe….md").write_text("# Größe…\n\nText.\n")
    published.env["PYTHONIOENCODING"] = "ascii"
    assert "gr\\xf6\\xdfe\\u2026.md" in published.reads("plan")


def test_on_a_terminal_nothing_is_asked(published: Person) -> None:
    own, other = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, "status"], cwd=published.folder, stdin=other, stdout=other, stderr=other
    ) as process:
        os.close(other)
        shown = b""
        while True:
            try:
                more = os.read(own, 4096)
            except OSError:  # the other side is closed
                break
            if not more:
                break
            shown += more
        assert process.wait(60) == 0
    os.close(own)
    assert b"docs" in shown
    assert b"\x1b[" in shown


def test_flow_without_a_server_is_not_now_and_still_one_json_object(published: Person) -> None:
    published.env["PREFECT_API_URL"] = "http://127.0.0.1:9/api"
    said = published.asks("refresh", "--flow", code=4)
    assert said["error"]["type"] == "ServerUnavailable"
