"""How a command finds the server of the ``up`` that runs in its project."""

import os

from flows.ops.environment import client_environment
from flows.ops.state import running
from pipelines.config import Config


def use_running_server(config: Config) -> bool:
    """Points this process at the server of the running ``up``, if nobody named another server.

    Call it before Prefect is imported, which reads its settings then.

    Returns:
        Whether there is one; where ``PREFECT_API_URL`` is set, that one is used and this says no.
    """
    if os.environ.get("PREFECT_API_URL") or running(config) is None:
        return False
    os.environ.update(client_environment(config))
    return True
