"""Sentences of a verdict, with their numbers: for people, and free of any text of a document."""

from collections.abc import Sequence

from pipelines.config import WatchKeys, WatchPolicy
from pipelines.drift.channels import Channel, unit
from pipelines.drift.state import State

_NAMED = 5
_MOVED = {
    "topic": "questions are {sure}about other things than at first",
    "novelty": "questions are {sure}unlike those at first",
    "changes": "documents {sure}change in another way than at first",
}


def withdrawn(uris: Sequence[str]) -> str:
    """Which documents it may no longer have learned from."""
    number = "a document" if len(uris) == 1 else f"{len(uris)} documents"
    return f"it learned from {number} that may not be learned from today: {_named(uris)}"


def held(uris: Sequence[str]) -> str:
    """Which documents of the newest look say so; "" where none does."""
    return f": {_named(uris)}" if uris else ""


def exposed(state: State, policy: WatchKeys) -> str:
    """How much of what it learned has changed."""
    asked = state.bets.get("override")
    held = f", {-asked.mean:.0%} of what was asked answered as before" if asked else ""
    return (
        f"{state.affected} of {state.examples} examples rest on documents that have changed: "
        f"exposure {number(state.exposure)}{held}, watched from {number(policy.watch_exposure)} on"
    )


def debt(reached: float, cost: float) -> str:
    """That keeping it costs more than a retraining."""
    return f"expected loss {reached:.2f} has reached the cost of a retraining, {cost:.2f}"


def evidence(channel: Channel, policy: WatchKeys) -> str:
    """What a channel has found, and how sure it is."""
    sure = "surely " if channel.is_evidence else "perhaps "
    return (
        f"{_finding(channel, policy, sure)} (evidence {number(channel.evidence)}, threshold "
        f"{number(channel.threshold)}, {channel.items} {unit(channel.name)})"
    )


def says(channel: Channel, policy: WatchKeys) -> str:
    """The one sentence beside a channel's numbers."""
    if channel.missing:
        return f"does not count yet: {channel.missing}"
    if channel.evidence < channel.threshold:
        return f"no evidence that {_suspicion(channel, policy, '')}"
    if not channel.matters:
        return f"something has moved, but less than {number(policy.min_effect)}: no matter"
    return _finding(channel, policy, "surely ")


def too_little(found: Sequence[Channel]) -> str:
    """Which channels do not count yet; "" where all do."""
    missing = [f"{one.name} {one.missing}" for one in found if one.missing]
    return f"not enough seen yet for: {'; '.join(missing)}" if missing else ""


def calm(state: State, needed: int) -> str:
    """That what was to be watched has gone, but not for long."""
    return f"nothing more to watch for {state.calm} of {needed} looks on end"


def number(value: float) -> str:
    """Short: 0.0312 as 0.031, 12345.6 as 12,346, and what is over a million as 1e+06."""
    if abs(value) >= 1e6:
        return f"{value:.0e}"
    return f"{value:,.0f}" if abs(value) >= 99.5 else f"{value:.2g}"


def _named(uris: Sequence[str]) -> str:
    more = len(uris) - _NAMED
    return ", ".join(uris[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _finding(channel: Channel, policy: WatchKeys, sure: str) -> str:
    suspicion, effect = _suspicion(channel, policy, sure), channel.effect or 0.0
    if channel.limit is None:
        return f"{suspicion}, about {effect:.0%} of them"
    most = f", less than {channel.upper:+.2f}" if channel.is_bounded else ""
    return f"{suspicion}: {effect:+.3f} on average{most}"


def _suspicion(channel: Channel, policy: WatchKeys, sure: str) -> str:
    if channel.limit is None:
        return _MOVED[channel.name].format(sure=sure)
    limit = number(abs(channel.limit))
    if channel.name == "golden":
        return f"golden questions {sure}lose more than {limit} MRR@10"
    if channel.name == "override":
        return f"more than {limit} of the changed facts are {sure}answered as they used to be"
    if channel.name == "memory":
        return f"it {sure}prefers former values by more than {limit} nats a token over its base"
    candidate = policy.candidate if isinstance(policy, WatchPolicy) else ""
    over = f"candidate {candidate}" if channel.name == "candidate" else "its base"
    return f"on new questions it {sure}gains less than {number(channel.limit)} MRR@10 over {over}"
