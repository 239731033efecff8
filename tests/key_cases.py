"""What a user sees without a key of the configuration, and with it."""

from collections.abc import Callable
from typing import Any

from tests.command_line import Cli

Case = Callable[[Cli], tuple[Any, Any]]
"""What a user sees without the key, and with it."""

CASES: dict[str, Case] = {}


def case(key: str) -> Callable[[Case], Case]:
    """Names the key that a case is about."""

    def keep(function: Case) -> Case:
        CASES[key] = function
        return function

    return keep


def configured(cli: Cli, *sources: str, knowledge: str = "", more: str = "") -> None:
    cli.project.configure(*sources, knowledge=knowledge, more=more)


def uris(cli: Cli, *sources: str) -> list[str]:
    """The documents that a plan would add."""
    configured(cli, *sources)
    return sorted(change["uri"] for change in cli.json("plan")["changes"])


def found(cli: Cli, *sources: str, search: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """What a question finds after a refresh."""
    configured(cli, *sources)
    cli("refresh")
    hits: list[dict[str, Any]] = cli.json("search", "days", "-k", "9", *search)["hits"]
    return sorted(hits, key=lambda hit: hit["uri"])


def trained(cli: Cli, *sources: str) -> dict[str, bool]:
    """What models may learn from, as the published table says it."""
    configured(cli, *sources)
    cli("refresh")
    return {row["uri"]: row["train"] for row in cli.project.rows()}
