"""What would have to happen for the next level, with how far it is from there."""

from collections.abc import Sequence

from pipelines.config import GeneratorWatch, WatchKeys
from pipelines.drift.channels import Channel
from pipelines.drift.levels import CALM, CALM_LOOKS, WATCH, harmful, is_exposed, is_noticed
from pipelines.drift.records import BETS
from pipelines.drift.state import State
from pipelines.drift.words import number


def ahead(
    state: State, found: Sequence[Channel], policy: WatchKeys, cost: float | None
) -> tuple[str, ...]:
    """Sentences that begin with the level that would follow, the likeliest first.

    Args:
        state: After the look.
        found: Its channels.
        policy: Says what counts.
        cost: Of one retraining.
    """
    if state.level == "stale":
        return ("fresh: when another version serves; nothing else clears it",)
    if state.level == "watch":
        return (*_stale(state, found, policy, cost), _fresh(state, found, policy))
    return (*_watch(state, found, policy), *_stale(state, found, policy, cost))


def _watch(state: State, found: Sequence[Channel], policy: WatchKeys) -> list[str]:
    held = " to what it holds on to" if state.bets.get("override") else ""
    exposure = (
        f"watch: exposure of {number(policy.watch_exposure)} or more{held}, it is "
        f"{number(harmful(state, policy))}"
    )
    counted = [one for one in found if one.counts]
    if not counted:
        return [exposure]
    most = max(counted, key=lambda one: one.weighs)
    return [
        exposure,
        f"watch: evidence of {number(WATCH / most.weight)} in {most.name}, "
        f"it is {number(most.evidence)}",
    ]


def _stale(
    state: State, found: Sequence[Channel], policy: WatchKeys, cost: float | None
) -> list[str]:
    bets = sorted(
        (one for one in found if one.name in BETS),
        key=lambda one: one.evidence / one.threshold,
        reverse=True,
    )
    said = [f"stale: {_rejected(one)}" for one in bets]
    if isinstance(policy, GeneratorWatch) and cost is not None:
        said.append(f"stale: an expected loss of {cost:.2f}, it is {state.debt:.2f}")
    return [*said, "stale: a document that it learned from may no longer be learned from"]


def _rejected(channel: Channel) -> str:
    limit = number(channel.limit or 0.0)
    name = "golden questions" if channel.name == "golden" else channel.name
    upper = f"upper bound now {channel.upper:+.2f}" if channel.is_bounded else "no upper bound yet"
    after = f", and {channel.missing} so far" if channel.missing else ""
    return (
        f"{name} surely below {limit}: {upper}, evidence "
        f"{number(channel.evidence)} of {number(channel.threshold)}{after}"
    )


def _fresh(state: State, found: Sequence[Channel], policy: WatchKeys) -> str:
    needs = []
    if is_exposed(state, policy):
        needs.append(f"exposure below {number(policy.watch_exposure)}")
    needs += [
        f"evidence of {one.name} below {number(CALM / one.weight)}"
        for one in found
        if is_noticed(one) or one.weighs >= CALM
    ]
    what = " and ".join(needs) if needs else "nothing more to watch"
    return f"fresh: {what}, for {CALM_LOOKS - state.calm} looks on end"
