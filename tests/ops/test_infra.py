"""The image and the compose file: rendered, linted, and told the same as ``up`` tells its processes."""

import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from dotenv import dotenv_values

from flows.ops.environment import server_environment, worker_environment
from pipelines.config import Config, load_config
from tests.compose_file import (
    COMPOSE,
    INFRA,
    ROOT,
    SECRETS,
    SERVICES,
    VARIABLE,
    environment_of,
    filled,
    image_environment,
    instructions,
)
from tests.project import Project

DATABASE = "postgresql://prefect:abc123@postgres:5432/prefect"
TEXT = "\n".join(  # what is said, without what is said about it
    line
    for line in (INFRA / "compose.yaml").read_text().splitlines()
    if not line.strip().startswith("#")
)


def as_config_of(service: str, folder: Path, **more: str) -> Config:
    """The configuration that staleproof reads in a container."""
    Project(folder).configure()
    told = environment_of(service) | more
    ours = {name: value for name, value in told.items() if name.startswith("STALEPROOF_")}
    del ours["STALEPROOF_CONFIG"]
    return load_config(folder / "staleproof.toml", env=ours)


def settings(told: dict[str, str]) -> dict[str, str]:
    """What is Prefect's, without where the image keeps it."""
    home = {"PREFECT_HOME"}
    return {k: v for k, v in told.items() if k.startswith("PREFECT_") and k not in home}


def test_server_is_told_what_up_tells_its_server(tmp_path: Path) -> None:
    config = as_config_of(
        "server",
        tmp_path,
        STALEPROOF_SERVER__HOST="0.0.0.0",  # noqa: S104 - not bound
        STALEPROOF_SERVER__DATABASE_URL=DATABASE,
    )
    told, quiet = environment_of("server"), settings(image_environment())
    assert settings(told) == quiet | settings(server_environment(config, SECRETS))


def test_worker_and_setup_are_told_what_up_tells_its_worker(tmp_path: Path) -> None:
    config = as_config_of("worker", tmp_path, STALEPROOF_SERVER__DATABASE_URL=DATABASE)
    expected = settings(image_environment()) | settings(worker_environment(config, SECRETS))
    only_here = {"PREFECT_SERVER_API_AUTH_STRING", "PREFECT_WORKER_WEBSERVER_HOST"}
    for service in ("worker", "setup"):
        told = settings(environment_of(service))
        assert {k: v for k, v in told.items() if k not in only_here} == expected
        assert not [value for value in told.values() if "abc123" in value]


def test_image_sends_nothing_home() -> None:
    code = (
        "import os, json\nbefore = dict(os.environ)\nfrom pipelines.quiet import silence\n"
        "silence()\nprint(json.dumps({k: v for k, v in os.environ.items() if k not in before}))"
    )
    bare = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", code], env=bare, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout).items() <= image_environment().items()


def test_image_is_pinned_runs_as_nobody_special_and_has_no_build_tools() -> None:
    said = instructions()
    python = next(one for one in said if one.startswith("ARG PYTHON=")).partition("=")[2]
    assert re.fullmatch(r"3\.11\.\d+", python)
    bases = [one.split()[1] for one in said if one.startswith("FROM ")]
    assert bases == ["python:${PYTHON}-bookworm", "python:${PYTHON}-slim-bookworm"]
    final = said[max(i for i, one in enumerate(said) if one.startswith("FROM ")) :]
    assert "USER 10001:10001" in final
    assert any(one.startswith("HEALTHCHECK") for one in final)
    installed = next(one for one in final if "apt-get install" in one)
    packages = installed.partition("--no-install-recommends ")[2].partition(" &&")[0]
    assert packages == "git"
    assert not [one for one in final if "pip" in one]
    pip = [part for one in said for part in one.split("&&") if "pip install" in part]
    assert pip
    assert all("--constraint constraints.txt" in part for part in pip)


def test_what_the_image_copies_is_there_and_reaches_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        source
        for one in instructions()
        if one.startswith("COPY ") and "--from" not in one
        for source in one.split()[1:-1]
    }
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)
    for secret in ("infra/.env", ".env", ".staleproof/prefect/prefect.db", "data/store"):
        assert not any(fnmatch(secret, f"{name}*") for name in allowed)


def test_only_this_host_sees_the_server_unless_somebody_says_otherwise() -> None:
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert set(published) == {"server", "receiver"}
    assert [filled(port, {}) for port in published["server"]] == ["127.0.0.1:4200:4200"]
    assert [filled(port, {}) for port in published["receiver"]] == ["127.0.0.1:4280:4280"]
    assert COMPOSE["networks"]["database"] == {"internal": True}
    assert not [name for name in ("worker", "receiver") if "database" in SERVICES[name]["networks"]]


def test_secrets_of_webhooks_are_for_the_receiver_alone_and_out_of_git() -> None:
    file = "${STALEPROOF_HOOKS_SECRETS:-webhooks.example.env}"
    having = [name for name, one in SERVICES.items() if file in one.get("env_file", ())]
    assert having == ["receiver"]
    assert {".env", "webhooks.env"} <= set((ROOT / ".gitignore").read_text().splitlines())
    assert SERVICES["receiver"]["profiles"] == ["webhooks"]


def test_secrets_are_demanded_and_named_in_the_example() -> None:
    example = dotenv_values(INFRA / "example.env")
    used = {m[1]: m[2] for m in VARIABLE.finditer(TEXT) if m[2]}
    assert {name for name, how in used.items() if how == "?"} == set(SECRETS)
    assert all(example[name] == "" for name in SECRETS)
    assert set(used) - {"STALEPROOF_IMAGE"} <= set(example)
    for file in ("server.env", "worker.env"):
        assert not set(dotenv_values(INFRA / file)) & set(SECRETS)


def test_everything_is_pinned_kept_watched_and_started_in_order() -> None:
    assert re.fullmatch(r"postgres:\d+\.\d+-bookworm", SERVICES["postgres"]["image"])
    version = filled(SERVICES["server"]["image"], {}).removeprefix("staleproof:")
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
    waits = {
        name: {on: how["condition"] for on, how in one.get("depends_on", {}).items()}
        for name, one in SERVICES.items()
    }
    assert waits == {
        "postgres": {},
        "server": {"postgres": "service_healthy"},
        "setup": {"server": "service_healthy"},
        "worker": {"server": "service_healthy", "setup": "service_completed_successfully"},
        "receiver": {"server": "service_healthy", "setup": "service_completed_successfully"},
    }
    restarts = {name: one["restart"] for name, one in SERVICES.items()}
    assert restarts.pop("setup") == "no"
    assert set(restarts.values()) == {"unless-stopped"}
    # The server's health check is the image's.
    assert {name for name, one in SERVICES.items() if "test" in one.get("healthcheck", {})} == {
        "postgres",
        "worker",
        "receiver",
    }
    named = {v.split(":")[0] for one in SERVICES.values() for v in one.get("volumes", ())}
    assert named - {"${STALEPROOF_PROJECT"} == set(COMPOSE["volumes"])


def renderers() -> list[list[str]]:
    """Compose as a plugin of docker, and as a program of its own."""
    found = [["docker-compose"]] if shutil.which("docker-compose") else []
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], check=False, capture_output=True)
        found += [["docker", "compose"]] if asked.returncode == 0 else []
    return found


def test_compose_renders_it_and_refuses_it_without_secrets(tmp_path: Path) -> None:
    programs = renderers()
    if not programs:
        pytest.skip("neither docker compose nor docker-compose is here")
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    for program in programs:
        command = [
            *program,
            "--file",
            str(INFRA / "compose.yaml"),
            "--profile",
            "webhooks",
            "config",
        ]
        done = run_in(tmp_path, command, bare | SECRETS)
        assert done.returncode == 0, done.stderr
        rendered = yaml.safe_load(done.stdout)["services"]
        assert set(rendered) == set(SERVICES)
        told = environment_of("server").items() - image_environment().items()
        assert told <= {k: str(v) for k, v in rendered["server"]["environment"].items()}.items()
        refused = run_in(tmp_path, command, bare)
        assert refused.returncode != 0
        assert "infra/.env" in refused.stderr


def run_in(
    folder: Path, command: list[str], env: dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, check=False, env=env, cwd=folder, capture_output=True, text=True)


def test_commands_are_ones_that_prefect_and_staleproof_know() -> None:
    from flows.ops import prepare

    python, flag, module, step, _ = SERVICES["setup"]["command"]
    assert [python, flag, module] == ["python", "-m", prepare.__name__]
    assert prepare.STEPS[step] is prepare.apply_files
    options = {
        option.partition("=")[0]
        for option in SERVICES["worker"]["command"]
        if option.startswith("--") and option != "--no-prompt"
    }
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "worker", "start", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not [option for option in options if option not in done.stdout]
