"""Run by ``up`` as a process of its own: looks at the project's files; later, applies them.

Both take packages of hundreds of megabytes, which the supervisor shall not hold for weeks. It
prints one JSON object: what was done, or the error in words.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pipelines.config import Config, load_config
from pipelines.errors import ConfigError, StaleproofError

POOL_TYPE = "process"


def check_files(config: Config) -> dict[str, Any]:
    """Sees that deployments, suites and golden questions are in order, before anything starts.

    Raises:
        StaleproofError: The first problem.
    """
    from flows.ops.declared import read_deployments
    from pipelines.quality import lint_files

    declared = read_deployments(config.root)
    lint_files(config)
    return {"declared": len(declared)}


def apply_files(config: Config) -> dict[str, Any]:
    """Makes the server have what the project's files say.

    Raises:
        StaleproofError: Something in the files, or on the server, is in the way.
    """
    from flows.ops.automations import apply_automations
    from flows.ops.deployments import apply_deployments

    apply_pool(config.server.pool)
    applied = apply_deployments(config)
    apply_automations(config)
    return {key: len(getattr(applied, key)) for key in ("created", "updated", "removed")}


STEPS = {"check": check_files, "apply": apply_files}


def apply_pool(name: str) -> None:
    """Creates the work pool, or keeps the one that is there.

    Raises:
        ConfigError: One of that name is of another type.
    """
    from prefect import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(
                WorkPoolCreate(
                    name=name,
                    type=POOL_TYPE,
                    description="Runs of staleproof, on the machine of `staleproof up`.",
                    base_job_template=ProcessWorker.get_default_base_job_template(),
                )
            )
        except ObjectAlreadyExists:
            found = client.read_work_pool(name)
            if found.type != POOL_TYPE:
                raise ConfigError(
                    f"The server has a work pool {name} of type {found.type}, not {POOL_TYPE}.",
                    hint="Name another one: [server] pool.",
                ) from None


def main(step: str, config_path: str) -> int:
    """Prints what was done, or the error."""
    try:
        said = STEPS[step](load_config(Path(config_path)))
    except StaleproofError as error:
        told = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
        print(json.dumps({"error": told}))  # noqa: T201 - read by up
        return 1
    print(json.dumps(said))  # noqa: T201 - read by up
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
