"""The flow run that a flow is in: what it is called, how it begins, and whether it is tried again."""

from pathlib import Path
from typing import Any

from prefect import get_client
from prefect.client.schemas.objects import FlowRun, FlowRunPolicy, State
from prefect.context import FlowRunContext

from flows.endings import ending, not_begun
from pipelines.config import Config, load_config
from pipelines.errors import ConfigError, StaleproofError

RETRIES, RETRY_DELAY_SECONDS = 2, 60


def this_run() -> FlowRun:
    """The run, as the server had it when this attempt began."""
    context = FlowRunContext.get()
    assert context is not None and context.flow_run is not None  # noqa: S101, PT018 - in a flow
    return context.flow_run


def engine_run(this: FlowRun) -> str:
    """What the engine calls this attempt: a name is never used twice."""
    return this.id.hex if this.run_count <= 1 else f"{this.id.hex}-{this.run_count}"


async def rename(this: FlowRun, name: str) -> None:
    """Gives it the name that the runs page shows, if it has another one."""
    if this.name == name:
        return
    async with get_client() as client:
        await client.update_flow_run(this.id, name=name)
    this.name = name


async def configured(this: FlowRun, path: Path | None, what: str) -> Config | State[Any]:
    """The configuration; the final state of the run, and its name, where that cannot be used."""
    try:
        return load_config(path)
    except ConfigError as error:
        await rename(this, f"{what} {ending(error)}")
        return not_begun(error)


async def is_tried_again(
    this: FlowRun, what: str, error: Exception, *, retries: int, delay_seconds: int
) -> bool:
    """Whether to raise, for Prefect to try again: what may heal by itself, and not for ever.

    The run is called after what broke it off. Prefect is told only now, or it would also try again
    where nothing can heal.
    """
    await rename(this, f"{what} {ending(error)}")
    heals = isinstance(error, StaleproofError) and error.retryable
    if not heals or this.run_count > retries:
        return False
    policy = FlowRunPolicy(retries=retries, retry_delay=delay_seconds)
    async with get_client() as client:
        await client.update_flow_run(this.id, empirical_policy=policy)
    return True
