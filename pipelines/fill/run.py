"""The order of a fill: rounds without a lock, then under it catch up, audit, load, switch."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Any

from pipelines.config import Config
from pipelines.errors import FillFailed, PublicationNotFound
from pipelines.fill.audit import audit_filled, recall_of, remember_audit
from pipelines.fill.loaded import have_it_loaded
from pipelines.fill.records import SERVES, Filled, FillEstimate, Ports, Wanted, Work
from pipelines.fill.rounds import fill_round, go_on
from pipelines.fill.switch import switch
from pipelines.ingest import time_and_money
from pipelines.knowledge import (
    Next,
    Publication,
    State,
    announced,
    begin_fill,
    clean_up,
    counts,
    difference,
    end_fill,
    fill_lock,
    newest,
    open_store,
    refresh_lock,
    remove_fill,
    unfinished,
)
from pipelines.records import Happened, Progress, Step, call, ignore


def fill_generation(
    config: Config,
    *,
    wanted: Wanted,
    now: datetime,
    run_id: str,
    step: Step = call,
    on_event: Callable[[Progress | Happened], None] = ignore,
    ports: Ports | None = None,
) -> Filled:
    """Embeds what is published with another embedder, beside it, and switches readers by one row.

    Refreshes go on meanwhile, by the embedder that serves. Stopped at any instant, the next call
    goes on where it was.

    Args:
        config: The configuration.
        wanted: The embedder.
        now: The time of the start.
        run_id: Names this run; never used twice.
        step: Runs one stage.
        on_event: Hears of progress.
        ports: The models, the store's write verbs, and who tries the new model.

    Raises:
        FillRunning: Another run fills for this embedder.
        RefreshRunning: A refresh holds the lock for longer than this waits.
        Overtaken: Somebody else published meanwhile; nothing is lost.
        FillFailed: The model cannot be used for what is published, or the fill was given up.
        PublicationNotFound: Nothing is published yet.
    """
    work, last = _work(config, wanted, now, run_id, step, on_event, ports or Ports())
    if last.fingerprint == work.encoder.fingerprint:
        return _named_otherwise(work)
    with fill_lock(work.store, work.encoder.fingerprint, run=run_id, now=now):
        head = begin_fill(
            work.store,
            work.encoder.fingerprint,
            dimension=work.encoder.dimension,
            run=run_id,
        )
        batches = 2
        while batches > 1:  # until little is missing: the rest is done under the lock
            name = f"fill:round {work.tally.rounds + 1}"
            head, batches = step(name, fill_round, work, head)
        with refresh_lock(
            work.store, run=run_id, now=work.clock(), wait_seconds=wanted.wait_seconds
        ):
            return _switched(work, head)


def estimate_fill(
    config: Config, *, wanted: Wanted, now: datetime, ports: Ports | None = None
) -> FillEstimate:
    """What a fill would embed, at the most, and what that takes. Writes nothing.

    Raises:
        PublicationNotFound: Nothing is published yet.
    """
    work, last = _work(config, wanted, now, "estimate", call, ignore, ports or Ports())
    store, fingerprint = work.store, work.encoder.fingerprint
    if last.fingerprint == fingerprint:
        return FillEstimate(0, 0, 0, 0.0, 0.0)
    begun = unfinished(store).get(fingerprint, [])
    heads: list[State | None] = [(name, store.table(name).version) for name in begun]
    gaps = [difference(store, wanted=last.state, there=head) for head in heads or [None]]
    gap = min(gaps, key=lambda one: one.places.num_rows)
    documents = len(gap.places["uri"].unique())
    seconds, cost = time_and_money(store, config, gap.tokens)
    return FillEstimate(documents, gap.places.num_rows, gap.tokens, seconds, cost)


def abort_fill(config: Config, *, now: datetime, run_id: str, wait_seconds: float = 60.0) -> int:
    """Gives up every fill that goes on or was left, and removes what it has embedded.

    Returns:
        How many passages were removed.

    Raises:
        FillRunning: One goes on and did not stop in time; it stops at its next batch.
    """
    store = open_store(config.store_uri, now=now)
    fingerprints = sorted(unfinished(store))
    return sum(
        remove_fill(store, one, run=run_id, now=now, wait_seconds=wait_seconds)
        for one in fingerprints
    )


def _work(
    config: Config,
    wanted: Wanted,
    now: datetime,
    run: str,
    step: Step,
    on_event: Callable[[Progress | Happened], None],
    ports: Ports,
) -> tuple[Work, Publication]:
    store = open_store(config.store_uri, now=now, write=ports.write)
    last = newest(store)
    if last is None:
        raise PublicationNotFound(
            f"Nothing is published in {config.knowledge.store} yet.", hint="Run staleproof refresh."
        )
    encoder = ports.load_encoder(
        wanted.model, root=config.root, batch_size=config.embedder.batch_size
    )
    started = time.monotonic()
    return Work(config, wanted, store, encoder, run, now, started, step, on_event, ports), last


def _switched(work: Work, head: State) -> Filled:
    """Under the refresh lock: nobody publishes but people, by one row."""
    step = work.step
    last = newest(work.store)
    if last is None:
        raise FillFailed("Nothing is published any more.")
    filled, _ = step("catch up", partial(fill_round, work, head, whole=True))
    audit, refused = step("audit", audit_filled, work, last, filled)
    noted: dict[str, Any] = {**work.wanted.noted, "canaries": recall_of(audit)}
    if refused is not None:
        remember_audit(work, audit, number=None, refused=refused, noted=noted)
        return _filled(work, last, filled, refused=refused, noted=noted)
    # Until readers were switched: whoever has loaded the next model keeps it so long.
    with _announced(work, filled) as coming:
        loaded_by, attention = step("load", have_it_loaded, work, coming)
        go_on(work)
        row = step("publish", switch, work, last, filled, audit, noted)
    end_fill(work.store, work.encoder.fingerprint, filled[0])
    remember_audit(work, audit, number=row.number, refused=None, noted=noted)
    step("clean up", _clean_up, work)
    return _filled(work, row, filled, noted=noted, loaded_by=loaded_by, attention=attention)


def _announced(work: Work, filled: State) -> AbstractContextManager[Next]:
    generation, version = filled
    return announced(
        work.store.uri,
        model=work.wanted.model,
        fingerprint=work.encoder.fingerprint,
        generation=generation,
        version=version,
    )


def _named_otherwise(work: Work) -> Filled:
    """The embedder that serves has these very weights: nothing is embedded."""
    with refresh_lock(
        work.store, run=work.run, now=work.clock(), wait_seconds=work.wanted.wait_seconds
    ):
        last = newest(work.store)
        if last is None or last.fingerprint != work.encoder.fingerprint:
            raise FillFailed(
                "Another embedder was made the one that serves meanwhile.", hint="Promote again."
            )
        if (last.model, last.embedder) == (work.wanted.model, dict(work.wanted.serves)):
            return _filled(work, last, last.state, refused=SERVES, noted={})
        noted = dict(work.wanted.noted)
        row = work.step("publish", switch, work, last, last.state, None, noted)
    return _filled(work, row, row.state, noted=noted)


def _filled(
    work: Work,
    row: Publication,
    filled: State,
    *,
    noted: dict[str, Any],
    refused: str | None = None,
    loaded_by: str = "",
    attention: tuple[str, ...] = (),
) -> Filled:
    documents, chunks = counts(work.store, filled)
    return Filled(
        publication=row.number,
        switched=refused is None,
        reason=refused,
        generation=filled[0],
        documents=documents,
        chunks=chunks,
        embedded=work.tally.embedded,
        reused=work.tally.reused,
        tokens_embedded=work.tally.tokens_embedded,
        canaries=noted.get("canaries", {}),
        loaded_by=loaded_by,
        attention=attention,
        seconds=time.monotonic() - work.started,
    )


def _clean_up(work: Work) -> None:
    knowledge = work.config.knowledge
    clean_up(
        work.store,
        now=work.clock(),
        keep_publications=knowledge.keep_publications,
        keep_days=knowledge.keep_days,
        longest_read=knowledge.longest_read,
        keep_previous=work.config.keep_previous,
    )
