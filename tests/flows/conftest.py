"""A Prefect server for the tests that need one; left running it would cost the others time."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from prefect.settings import (
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_HOME,
        PREFECT_LOGGING_TO_API_BATCH_INTERVAL,
        PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL,
        PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL,
        temporary_settings,
    )
    from prefect.testing.utilities import prefect_test_harness

    import flows  # noqa: F401  (sets what Prefect reads on import)

    settings = {
        PREFECT_HOME: tmp_path_factory.mktemp("prefect"),
        # Heartbeats keep each run waiting for up to a second at its end.
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        PREFECT_LOGGING_TO_API_BATCH_INTERVAL: 0.1,
        PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL: 0.1,
        PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL: 0.1,
    }
    with temporary_settings(settings), prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def leftovers() -> Iterator[None]:
    """What a test leaves to the garbage collector is its own, not the next test's."""
    yield
    gc.collect()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The configuration of a project with three documents."""
    from tests.flows.runs import new_project

    return new_project(tmp_path)


@pytest.fixture
def published(project: Path) -> Path:
    """The same, with its first publication."""
    from tests.flows.runs import ingest

    ingest(project)
    return project
