"""Prefect's clients, made once for many runs: each one that is made reads all certificates."""

import asyncio
import contextlib
from collections.abc import Iterator

from prefect.context import AsyncClientContext, SyncClientContext


@contextlib.contextmanager
def kept_clients() -> Iterator[asyncio.Runner]:
    """Runs coroutines one after the other, in one event loop, with the same clients.

    A connection that a server closed, for it went and came back, is seen to be closed and opened
    anew.
    """
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def enter() -> None:
            await stack.enter_async_context(AsyncClientContext.get_or_create())
            stack.enter_context(SyncClientContext.get_or_create())

        try:
            # All that a runner runs is in one context: what this sets is set for what comes later.
            runner.run(enter())
            yield runner
        finally:
            runner.run(stack.aclose())
