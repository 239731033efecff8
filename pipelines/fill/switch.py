"""Appends the row that switches readers to the filled generation."""

import dataclasses
from typing import Any

from pipelines.errors import Overtaken
from pipelines.fill.records import Work
from pipelines.knowledge import (
    BESIDE,
    Publication,
    State,
    all_taken_down,
    append,
    is_tagged,
    known_documents,
    newest,
    open_takedowns,
    publications,
    published_documents,
    tag,
    withheld_of,
)
from pipelines.planning import Published, rules_on
from pipelines.quality import Audit

PROMOTION = "promotion"
"""The kind of rows that show the same documents by another embedder."""


def switch(
    work: Work, last: Publication, filled: State, audit: Audit | None, noted: dict[str, Any]
) -> Publication:
    """Compare-and-set on the ledger, as a refresh does it.

    Args:
        work: The fill.
        last: The publication whose documents the filled state has.
        filled: The state that readers are to see.
        audit: What was found out about it; None where it is the state that they see.
        noted: What the row is to remember of the promotion.

    Raises:
        Overtaken: A row since does more than withhold, or let a generator serve.
    """
    store, name = work.store, f"pub-{work.run}"
    tag(store, name, filled)
    here = published_documents(store, filled)
    template = _row(work, last, filled, audit, noted)
    while True:
        current = newest(store)
        since = publications(store, after=last.number)
        if current is None or any(row.kind not in BESIDE for row in since):
            raise _overtaken()
        row = dataclasses.replace(
            template,
            number=current.number + 1,
            withheld=_withheld(work, here, current),
            models=current.others | dict(work.wanted.serves),
        )
        # Asked last: whoever slept for longer than clean-ups wait finds out here.
        if not is_tagged(store, name, filled):
            raise _overtaken()
        if append(store, row):
            return row


def _withheld(work: Work, here: dict[str, Published], current: Publication) -> tuple[str, ...]:
    """What is withheld now and, computed anew, what the filled state shows beyond today's labels.

    Nothing is shown again: the configuration was read when the fill began, and refreshes since may
    have withdrawn by a later one. The next refresh shows again what may be seen.
    """
    needed = withheld_of(
        here,
        newest=here,
        rules=rules_on(work.config, work.clock().date()),
        known=known_documents(work.store),
        taken_down=all_taken_down(open_takedowns(work.store).values()),
    )
    return tuple(sorted(needed.union(current.withheld)))


def _row(
    work: Work, last: Publication, filled: State, audit: Audit | None, noted: dict[str, Any]
) -> Publication:
    generation, version = filled
    tally, wanted = work.tally, work.wanted
    milliseconds = round(tally.embed_seconds * 1000) if tally.embedded else 0
    return dataclasses.replace(
        last,
        kind=PROMOTION,
        at=work.clock(),
        generation=generation,
        version=version,
        fingerprint=work.encoder.fingerprint,
        model=wanted.model,
        restores=None,
        run=work.run,
        actor=wanted.actor,
        reason=wanted.reason,
        documents=audit.documents if audit else last.documents,
        chunks=audit.chunks if audit else last.chunks,
        tokens_embedded=tally.tokens_embedded,
        counts={"embedded": tally.embedded, "reused": tally.reused, "embed_ms": milliseconds},
        deletions={},
        lag={},
        deletion_lag={},
        audit={**(audit.to_dict() if audit else last.audit), "promotion": noted},
    )


def _overtaken() -> Overtaken:
    return Overtaken(
        "Somebody else published, rolled back or unpinned while readers were to be switched."
        " Nothing of it is published; what was embedded is kept.",
        hint="Run the same command again: it goes on where it was.",
    )
