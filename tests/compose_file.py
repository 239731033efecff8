"""Reads infra/compose.yaml and the Dockerfile as docker does, as far as the tests need it."""

import re
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values

ROOT = Path(__file__).parents[1]
INFRA = ROOT / "infra"
SECRETS = {"POSTGRES_PASSWORD": "abc123", "PREFECT_SERVER_API_AUTH_STRING": "admin:pw"}
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]

VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def filled(text: str, values: dict[str, str]) -> str:
    """``${A:-b}`` and ``${A:?why}`` as compose reads them."""
    return VARIABLE.sub(lambda m: values.get(m[1]) or (m[3] if m[2] == "-" else ""), text)


def instructions() -> list[str]:
    """Of the Dockerfile, one a line, comments left out."""
    lines = (INFRA / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return [" ".join(one.split()) for one in text.replace("\\\n", " ").splitlines() if one.strip()]


def image_environment() -> dict[str, str]:
    """What the image tells every container, without where its programs are."""
    last = next(one for one in reversed(instructions()) if one.startswith("ENV "))
    told = dict(pair.split("=", 1) for pair in last.removeprefix("ENV ").split())
    del told["PATH"]
    return told


def environment_of(service: str) -> dict[str, str]:
    """What a container is told, in the order of precedence."""
    told = image_environment()
    files = [one for one in SERVICES[service].get("env_file", ()) if not one.startswith("$")]
    for file in files:  # the other one holds secrets and is no part of the project
        told |= {name: value or "" for name, value in dotenv_values(INFRA / file).items()}
    said = SERVICES[service].get("environment", {})
    return told | {name: filled(str(value), SECRETS) for name, value in said.items()}
