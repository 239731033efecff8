"""The worlds that all fault tests start from."""

from collections.abc import Iterator

import pytest

from tests.faults.runner import shrink
from tests.faults.world import World, make_world


@pytest.fixture(scope="module")
def small_batches() -> Iterator[None]:
    """As in the child."""
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch.setattr)
        yield


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch.setattr)
        return make_world(tmp_path_factory.mktemp("world"))
