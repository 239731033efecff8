"""What a person may decide from the UI: each decision, done, and said in a sentence."""

from collections.abc import Callable
from dataclasses import dataclass

from pipelines import decide
from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.knowledge import OPEN, Signed, find_store, newest
from pipelines.promote import demote_model, mend_stages
from pipelines.records import Happened


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was made."""

    said: str
    """What it did."""
    needs_refresh: bool = False
    """Whether a refresh carries it out."""


def decide_on(config: Config, action: str, subject: str, *, reason: str, signed: Signed) -> Decided:
    """Makes a decision.

    Args:
        config: The configuration.
        action: One of ``ACTIONS``.
        subject: What it is about: a hold, a document, a publication, a source; or nothing.
        reason: Why.
        signed: Who, when, in which run.

    Raises:
        ConfigError: Something is missing.
        UnknownName: There is no such thing.
        StoreError: It cannot be done.
    """
    needed, needs_reason, act = ACTIONS[action]
    if needed and not subject:
        raise ConfigError(f"{action} needs a subject: {needed}.", hint=_known(config, action))
    if needs_reason and not reason:
        raise ConfigError(f"{action} needs a reason.", hint="Say why; it is kept.")
    return act(config, subject, reason, signed)


def decision_made(
    config: Config, action: str, subject: str, *, reason: str, signed: Signed
) -> Happened:
    """The event that leaves who and why in the server's history."""
    told = {"action": action, "subject": subject, "reason": reason}
    told |= {"who": signed.actor, "at": signed.at.isoformat(), "run": signed.run}
    return Happened("decision.made", f"knowledge.{config.knowledge.name}", told)


def _known(config: Config, action: str) -> str:
    if action in ("accept", "drop"):
        names = [h.id for h in decide.open_holds(config) if h.state == OPEN]
        return f"These wait: {', '.join(names)}." if names else "Nothing waits for a decision."
    if action in ("pause", "resume"):
        return f"Sources: {', '.join(source.name for source in config.sources)}."
    if action == "demote":
        return f"Models: {', '.join(model.name for model in config.models) or 'none'}."
    return "The page of the knowledge base lists them."


def _accept(config: Config, subject: str, reason: str, signed: Signed) -> Decided:
    hold = decide.decide(config, subject, accept=True, reason=reason, signed=signed)
    return Decided(
        f"Hold {hold.id} is accepted: {len(hold.items):,} documents are let through"
        f"{_after_unpin(config)}.",
        needs_refresh=True,
    )


def _drop(config: Config, subject: str, reason: str, signed: Signed) -> Decided:
    hold = decide.decide(config, subject, accept=False, reason=reason, signed=signed)
    return Decided(
        f"Hold {hold.id} is refused: its {len(hold.items):,} documents stay as published until"
        " their source changes them again."
    )


def _release(config: Config, subject: str, reason: str, signed: Signed) -> Decided:
    row = decide.release_quarantined(config, subject, reason=reason, signed=signed)
    return Decided(
        f"{row.uri} is let out of quarantine in spite of {row.failure.expectation}"
        f"{_after_unpin(config)}.",
        needs_refresh=True,
    )


def _withhold(config: Config, subject: str, reason: str, signed: Signed) -> Decided:
    decide.withhold(config, subject, reason=reason, signed=signed)
    return Decided(f"Nobody sees {subject} any more, nor any document with the same text.")


def _lift(config: Config, subject: str, reason: str, signed: Signed) -> Decided:
    done = decide.lift_takedown(config, subject, reason=reason, signed=signed)
    if done.seen:
        return Decided(f"{subject} is seen again by those who hold its labels.")
    return Decided(f"{subject} is lifted, and stays unseen: pinned, in quarantine, or gone.")


def _rollback(config: Config, subject: str, reason: str, signed: Signed) -> Decided:
    del reason
    number = subject.removeprefix("#")
    if number and not number.isdecimal():
        raise ConfigError(
            f"{subject!r} is not the number of a publication.",
            hint="Write 12 or #12; or nothing, for the state before this one.",
        )
    done = decide.roll_back(config, signed=signed, to=int(number) if number else None)
    return Decided(
        f"Readers see #{done.restores} again, published as #{done.publication}."
        " Refreshes publish nothing until unpin."
    )


def _unpin(config: Config, subject: str, reason: str, signed: Signed) -> Decided:
    del subject, reason
    if decide.unpin(config, signed=signed) is None:
        return Decided("Nothing was pinned.")
    return Decided("Refreshes publish again.", needs_refresh=True)


def _pause(config: Config, subject: str, reason: str, signed: Signed) -> Decided:
    decide.pause_source(config, subject, signed=signed, reason=reason)
    return Decided(f"Refreshes leave source {subject} out until it is resumed.")


def _resume(config: Config, subject: str, reason: str, signed: Signed) -> Decided:
    del reason
    decide.resume_source(config, subject, signed=signed)
    return Decided(f"Source {subject} is refreshed again.", needs_refresh=True)


def _demote(config: Config, subject: str, reason: str, signed: Signed) -> Decided:
    del reason
    done = demote_model(config, subject, signed=signed)
    mend_stages(config)
    return Decided(
        f"{done.serves} serves again, in publication #{done.publication}.",
        needs_refresh=done.kind == "embedder",
    )


def _after_unpin(config: Config) -> str:
    store = find_store(config.store_uri)
    last = newest(store) if store else None
    return " once it is unpinned" if last and last.pinned else ""


_Act = Callable[[Config, str, str, Signed], Decided]

ACTIONS: dict[str, tuple[str, bool, _Act]] = {
    "accept": ("the id of a hold", False, _accept),
    "drop": ("the id of a hold", False, _drop),
    "release": ("the uri of a document in quarantine", True, _release),
    "withhold": ("the uri of a document", True, _withhold),
    "lift": ("the uri of a document", True, _lift),
    "rollback": ("", False, _rollback),
    "unpin": ("", False, _unpin),
    "pause": ("the name of a source", False, _pause),
    "resume": ("the name of a source", False, _resume),
    "demote": ("the name of a model", False, _demote),
}
"""By action: what it is about, whether it needs a reason, and what does it."""
