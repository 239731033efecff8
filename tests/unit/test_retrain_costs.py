"""Time, memory and tokens of a retraining are known before it: by former runs, where there are."""

from typing import Any

from pipelines.retrain.costs import estimate
from pipelines.retrain.efforts import Effort

WORK = Effort(pairs=640, steps=20, learned=100_000, mined=20_000, asked=60_000)


def ran(share: float, **measured: Any) -> dict[str, Any]:
    """A former run with so much of the work."""
    effort = {"learned": 100_000 * share, "mined": 20_000 * share, "asked": 60_000 * share}
    train = {"seconds": 300.0 * share, "peak_memory_bytes": 3_000_000_000}
    evaluate = {"seconds": 30.0 * share}
    return {"effort": effort, "measured": {"train": train, "evaluate": evaluate} | measured}


def test_the_newest_run_that_was_measured_says_how_long_it_takes() -> None:
    stopped = ran(1.0, train={})
    found = estimate(WORK, [("v0.0.2", stopped), ("v0.0.1", ran(0.5))], weights_bytes=10**8)
    assert found.measured_on == "v0.0.1"
    assert round(found.seconds) == 300 + 40 + 60
    assert found.memory_bytes == 3_000_000_000


def test_without_a_former_run_a_common_machine_is_taken() -> None:
    found = estimate(WORK, [], weights_bytes=10**8)
    assert found.measured_on == "a common machine"
    assert found.seconds > 60
    assert found.memory_bytes > 10**9


def test_twice_the_work_takes_longer() -> None:
    double = Effort(pairs=1280, steps=40, learned=200_000, mined=40_000, asked=120_000)
    for former in ([], [("v0.0.1", ran(1.0))]):
        once, twice = (estimate(w, former, weights_bytes=10**8).seconds for w in (WORK, double))
        assert twice - 60 == 2 * (once - 60)
