"""Runs the flow ``refresh`` in this process, as a run of its deployment like any other.

The run is made due now and at once taken from there to Pending, as a worker does it: that takes
the deployment's place (one run at a time), and whoever is second is told so by the server. Made
as Pending in the first place it would take no place, and give back one that is another run's. A
lane that is killed between the two leaves a run that the worker picks up.
"""

import os
from typing import Any

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import AsyncClientContext
from prefect.events.worker import EventsWorker
from prefect.exceptions import Abort
from prefect.flow_engine import run_flow_async
from prefect.states import Pending
from prefect.utilities.engine import propose_state

RETRIES = 0
"""The inbox is what is tried again; a run that waits for its next attempt would keep others out."""


async def run_here(made: dict[str, Any], body: Flow[..., Any]) -> State[Any] | None:
    """Takes a run that is due, and runs it in this process.

    Args:
        made: The run, as the server told it when it was made.
        body: The flow, with a model that is loaded already.

    Returns:
        Its final state; None where somebody else runs it, or it was cancelled for another one.
    """
    async with AsyncClientContext.get_or_create() as context:
        run = FlowRun.model_validate(made)
        if not await _take(context.client, run):
            return None
        return await run_flow_async(
            body, flow_run=run, parameters=run.parameters, return_type="state"
        )


async def _take(client: PrefectClient, run: FlowRun) -> bool:
    try:
        state = await propose_state(client, Pending(), flow_run_id=run.id)
    except Abort:  # a worker was quicker
        return False
    if not state.is_pending():
        return False
    run.state, run.infrastructure_pid = state, str(os.getpid())
    await client.update_flow_run(run.id, infrastructure_pid=run.infrastructure_pid)
    return True


def own_events(known: EventsWorker | None) -> EventsWorker:
    """The one thread that sends events, started outside of any run.

    It keeps the context of whoever emits first, and would relate all later events to that run.

    Args:
        known: The one that this gave last; another one was started by a run since.
    """
    worker = EventsWorker.instance()
    if known is not None and worker is not known:
        worker.drain()
        worker = EventsWorker.instance()
    return worker
