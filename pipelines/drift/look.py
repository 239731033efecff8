"""One look: what was known and what has happened -> what is known, and what to say of it. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b

import numpy as np

from pipelines.config import GeneratorWatch, WatchKeys
from pipelines.drift import words
from pipelines.drift.ahead import ahead
from pipelines.drift.bets import Bets, scored
from pipelines.drift.channels import Channel, channels
from pipelines.drift.conformal import Bag, begun, taken
from pipelines.drift.levels import (
    CALM_LOOKS,
    charged,
    is_exposed,
    is_noticed,
    levelled,
    price,
)
from pipelines.drift.mixture import Floats
from pipelines.drift.records import BETS, BINNED, HIGHEST, Observation, Signal, Verdict
from pipelines.drift.state import State


def look(
    state: State,
    seen: Observation,
    policy: WatchKeys,
    *,
    cost: float | None = None,
) -> tuple[State, Verdict]:
    """Folds one look into what is known of a version.

    A look in which nothing happened, and one that was counted before, change nothing.

    Args:
        state: After all looks before.
        seen: What this look saw.
        policy: Says when the version counts as stale. It may be another than at the look before
            (``channels`` says what that means). Only a generator's knows a debt.
        cost: Of the hours of one retraining, in the currency of the policy; None: unknown.

    Raises:
        ValueError: What was seen cannot be: items of a channel without a first bag, a second first
            bag, a bin that there is not, a score that its channel cannot have.
    """
    if not seen.is_empty and seen.look != state.last_look:
        state = _advanced(state, seen)
        found = channels(state, policy)
        state = charged(state, seen.queries, policy)
        state = levelled(state, seen, found, policy, cost)
    return state, verdict(state, policy, cost=cost)


def verdict(state: State, policy: WatchKeys, *, cost: float | None = None) -> Verdict:
    """What is to be said of a version after its last look. Arguments as of ``look``."""
    found = channels(state, policy)
    worth = next((one for one in found if one.name == "worth"), None)
    bounds = None
    if worth and worth.effect is not None and worth.lower is not None and worth.upper is not None:
        bounds = (worth.effect, worth.lower, worth.upper)
    return Verdict(
        level=state.level,
        reasons=_reasons(state, found, policy),
        signals=tuple(_signal(one, policy) for one in found),
        exposure=state.exposure,
        worth=bounds,
        debt=state.debt if isinstance(policy, GeneratorWatch) else None,
        cost=price(policy, cost),
        next=ahead(state, found, policy, price(policy, cost)),
    )


def noise(state: State, look_id: str, channel: str, count: int) -> Floats:
    """Uniform numbers that break ties, (count,): the same for the same look, whoever asks."""
    name = "\0".join((state.model, state.version, look_id, channel))
    seed = int.from_bytes(blake2b(name.encode(), digest_size=16).digest(), "big")
    return np.random.Generator(np.random.PCG64(seed)).random(count)


def _advanced(state: State, seen: Observation) -> State:
    """With the items of a look, before anything is made of them."""
    _known(seen.bags.keys() | seen.bins.keys(), BINNED)
    _known(seen.scores.keys(), BETS)
    state = replace(
        state,
        looks=state.looks + 1,
        last_look=seen.look,
        queries=state.queries + seen.queries,
        bags=_bags(state, seen),
        bets=state.bets
        | {
            name: scored(state.bets.get(name, Bets()), scores, most=HIGHEST.get(name, 1.0))
            for name, scores in seen.scores.items()
            if scores
        },
    )
    if (now := seen.exposure) is None:
        return state
    return replace(state, exposure=now.value, examples=now.examples, affected=now.affected)


def _bags(state: State, seen: Observation) -> dict[str, Bag]:
    bags = dict(state.bags)
    for name, first in seen.bags.items():
        if first and name in bags:
            raise ValueError(f"channel {name} has a first bag already")
        if first:
            bags[name] = begun(first)
    for name, bins in seen.bins.items():
        if bins and name not in bags:
            raise ValueError(f"channel {name} has items, but no first bag")
        if bins:
            bags[name] = taken(bags[name], bins, noise(state, seen.look, name, len(bins)))
    return bags


def _known(names: Iterable[str], channels_of: tuple[str, ...]) -> None:
    if unknown := sorted(set(names) - set(channels_of)):
        raise ValueError(f"no such channel: {', '.join(unknown)}")


def _signal(channel: Channel, policy: WatchKeys) -> Signal:
    return Signal(
        name=channel.name,
        evidence=channel.evidence,
        threshold=channel.threshold,
        items=channel.items,
        effect=channel.effect,
        lower=channel.lower,
        upper=channel.upper,
        says=words.says(channel, policy),
    )


def _reasons(state: State, found: tuple[Channel, ...], policy: WatchKeys) -> tuple[str, ...]:
    reasons = list(state.causes.values())
    if is_exposed(state, policy):
        reasons.append(words.exposed(state, policy))
    reasons += [
        words.evidence(one, policy)
        for one in found
        if is_noticed(one) and one.name not in state.causes
    ]
    if state.level == "watch" and not reasons:
        reasons.append(words.calm(state, CALM_LOOKS))
    if state.level == "fresh" and not reasons and (missing := words.too_little(found)):
        reasons.append(missing)
    return tuple(reasons)
