"""Fresh, watch or stale: what follows from the evidence, and what it takes to go back.

- Stale at once: something that it learned from may no longer be learned from.
- Stale by evidence: golden questions got worse, or it gains too little over its base (or over a
  candidate). Stale stays, whatever comes, until another version serves.
- Stale by money, for a generator: the expected loss has reached the cost of a retraining, which is
  at most twice the cost of the best moment known in hindsight (ski rental).
- Watch: documents that it learned from have changed, or other questions come, or other changes, or
  there is a quarter of the evidence for anything. For an embedder none of this means that it got
  worse: it means "evaluate now". It ends after three looks that give no cause.
"""

from collections.abc import Sequence
from dataclasses import replace

from pipelines.config import GeneratorWatch, WatchKeys
from pipelines.drift import words
from pipelines.drift.channels import Channel
from pipelines.drift.records import BETS, BINNED, Observation
from pipelines.drift.state import State

WATCH = 5.0
"""Evidence by weight from which on a version is watched; 20 is evidence at an alpha of 0.05."""
CALM = WATCH / 2
"""A look with less evidence than this, and nothing else to watch, is a calm one."""
CALM_LOOKS = 3
"""On end, until what is watched is fresh again."""


def price(policy: WatchKeys, cost: float | None) -> float | None:
    """Of one retraining: its hours, which the caller knows, and the rest; None: unknown."""
    return ((cost or 0.0) + policy.retrain_cost) or None


def charged(state: State, queries: int, policy: WatchKeys) -> State:
    """With the expected loss since the look before; an embedder has none.

    Of the answers that rest on what has changed those are taken for wrong that are given as they
    used to be.
    """
    if not isinstance(policy, GeneratorWatch):
        return state
    rate = queries * policy.wrong_answer_cost * harmful(state, policy)
    return replace(state, loss_rate=rate, debt=state.debt + rate)


def levelled(
    state: State,
    seen: Observation,
    found: Sequence[Channel],
    policy: WatchKeys,
    cost: float | None,
) -> State:
    """With the level that follows; once a look.

    Args:
        state: With all that this look has brought.
        seen: That look.
        found: Its channels.
        policy: Says what counts; a generator's, what it owes as well.
        cost: Of the hours of one retraining.
    """
    causes = _causes(state, seen, found, policy)
    if isinstance(policy, GeneratorWatch):
        causes = causes | _in_debt(state, found, price(policy, cost)) | causes
    if causes:
        return replace(state, level="stale", calm=0, causes=causes)
    if watched(state, found, policy):
        return replace(state, level="watch", calm=0)
    if state.level == "fresh":
        return state
    calm = state.calm + 1 if all(one.weighs < CALM for one in found) else 0
    if calm < CALM_LOOKS:
        return replace(state, calm=calm)
    return replace(state, level="fresh", calm=0)


def watched(state: State, found: Sequence[Channel], policy: WatchKeys) -> bool:
    """Whether there is cause to watch, today."""
    return is_exposed(state, policy) or any(is_noticed(one) for one in found)


def is_exposed(state: State, policy: WatchKeys) -> bool:
    """Whether so much of what it learned has changed that it is watched."""
    harm = harmful(state, policy)
    return harm > 0 and harm >= policy.watch_exposure


def harmful(state: State, policy: WatchKeys) -> float:
    """The part of what it learned that has changed and that answers may rest on, 0 to 1.

    Of a generator only as much as it holds on to against a fresh passage: all, until it was asked.
    """
    if not isinstance(policy, GeneratorWatch):
        return state.exposure
    asked = state.bets.get("override")
    return state.exposure * (min(1.0, max(0.0, -asked.mean)) if asked and asked.items else 1.0)


def is_noticed(channel: Channel) -> bool:
    """Whether a channel says enough to be watched."""
    return channel.is_evidence or channel.weighs >= WATCH


def _causes(
    state: State, seen: Observation, found: Sequence[Channel], policy: WatchKeys
) -> dict[str, str]:
    """Why it is stale: what was said before stands, with the numbers of that time."""
    causes: dict[str, str] = {
        one.name: words.evidence(one, policy) + words.held(_against(one, seen, policy))
        for one in found
        if _convicts(one)
    }
    withdrawn = seen.exposure.withdrawn if seen.exposure else ()
    known = state.causes | causes | state.causes  # what was said first stands first
    return known | ({"withdrawn": words.withdrawn(withdrawn)} if withdrawn else {})


def _against(channel: Channel, seen: Observation, policy: WatchKeys) -> list[str]:
    """Documents of a look that speak against a generator, by what it was asked about them."""
    if channel.name == "override":
        return [one.uri for one in seen.held if one.as_before]
    most = policy.max_memory if isinstance(policy, GeneratorWatch) else 0.0
    remembered = [one for one in seen.held if channel.name == "memory" and one.memory is not None]
    return [one.uri for one in remembered if (one.memory or 0.0) > most]


def _convicts(channel: Channel) -> bool:
    return channel.is_evidence and channel.name in BETS


def _in_debt(state: State, found: Sequence[Channel], cost: float | None) -> dict[str, str]:
    """Why a generator is not worth keeping any longer."""
    if cost is None:
        return {}
    if state.debt >= cost:
        return {"debt": words.debt(state.debt, cost)}
    moved = [one for one in found if one.is_evidence and one.name in BINNED]
    if moved and state.exposure > 0 and state.debt + state.loss_rate >= cost:
        return {"debt": words.debt(state.debt + state.loss_rate, cost)}
    return {}
