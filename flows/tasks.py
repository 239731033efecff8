"""Makes a stage of a use case a task run of the flow, named so that the time line reads."""

from collections.abc import Callable
from typing import Any, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.faults import fault
from pipelines.errors import StaleproofError

T = TypeVar("T")

RETRY_SECONDS = (2.0, 10.0)
"""How long to wait before each further try of a stage that may heal by itself."""


def as_task(name: str, function: Callable[..., T], *args: Any, retryable: bool = False) -> T:
    """The step that is a task run of the flow.

    Prefect sees neither arguments nor result: it would look through both, hash them, and keep
    results as long as the flow runs. An error of ours is a state with its message, not a traceback;
    any other one a state with its kind. Both come out here.

    Args:
        name: Of the task run, as the time line shows it; the task's name ends at the colon.
        function: What to do.
        args: What it takes.
        retryable: Whether to try again after an error that may heal by itself.
    """
    results: list[T] = []
    problems: list[Exception] = []

    def work() -> State[Any]:
        problems.clear()
        try:
            results.append(function(*args))
        except StaleproofError as error:
            problems.append(error)
            return Failed(message=str(error))
        except Exception as error:  # noqa: BLE001 - Prefect would tell its message, values and all
            problems.append(error)
            return Failed(message=f"Broke off with {fault(error)}.")
        return Completed(message=name)  # the log of the run tells states, and not whose

    def heals(*_: Any) -> bool:
        return bool(problems) and getattr(problems[-1], "retryable", False)

    prepared = task(
        name=name.partition(":")[0],
        task_run_name=lambda: name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=len(RETRY_SECONDS) if retryable else 0,
        retry_delay_seconds=list(RETRY_SECONDS),
        retry_condition_fn=heals,
    )
    prepared(work)()
    if results:
        return results[0]
    raise problems[-1]
