"""The end of a retraining: verdict, card, version, and who is told."""

import json
import logging
from typing import Any

from pipelines.records import Happened
from pipelines.registry import Version, Workspace, publish_version
from pipelines.retrain.card import model_card
from pipelines.retrain.card_parts import Card
from pipelines.retrain.context import Context
from pipelines.retrain.efforts import effort
from pipelines.retrain.report import Report
from pipelines.retrain.snapshot import Taken
from pipelines.retrain.stored import CARD, write_verdict
from pipelines.retrain.verdict import judged
from pipelines.retrain.voice_card import generator_card
from pipelines.training.params import AnyParams, read_params
from pipelines.training.places import Place

logger = logging.getLogger(__name__)

CARDS = {"embedder": model_card, "generator": generator_card}


def judge_version(
    context: Context, space: Workspace, taken: Taken, made: dict[str, Any]
) -> dict[str, Any]:
    """Have the gate judge what the stages made, and write the verdict and the card beside it."""
    found = judged(Place(space.folder, space.model), taken.snapshot, context.model.gate)
    params = read_params(space.folder, space.model, context.model.kind)
    verdict = {
        "model": space.model,
        "kind": context.model.kind,
        "run": context.run,
        "at": context.now.isoformat(),
        "by_itself": context.asked.by_itself,
        "reason": context.asked.reason,
        "publication": taken.publication.number,
        "made_of": made,
        "left_out": dict(taken.snapshot.facts.left_out),
        "documents": taken.snapshot.documents.num_rows,
        "passages": taken.snapshot.passages.num_rows,
        "not_used": list(space.not_used),
        "seconds": dict(context.seconds),
        "effort": effort(taken.snapshot, params, found["trained"]["pairs"]).to_dict(),
        **found,
    }
    write_verdict(space.folder, space.model, verdict)
    card = CARDS[context.model.kind](_card(space, taken, verdict, params))
    (space.folder / CARD.format(model=space.model)).write_text(card, encoding="utf-8")
    return verdict


def _card(space: Workspace, taken: Taken, verdict: dict[str, Any], params: AnyParams) -> Card:
    place, facts = Place(space.folder, space.model), taken.snapshot.facts
    counts = (place.dataset / "counts.json").read_text(encoding="utf-8")
    return Card(
        verdict=verdict,
        base=facts.base.model,
        base_folder=taken.snapshot.base_folder,
        champion=facts.champion.version,
        counts=json.loads(counts),
        params=params.model_dump(),
        commit=space.base,
        revision=facts.base.revision,
    )


def name_version(context: Context, space: Workspace, verdict: dict[str, Any]) -> Version:
    """Make the version of what is in the work tree."""
    word = "promote" if verdict["promote"] else "refused"
    message = f"{space.model}: trained on #{verdict['publication']}, {word}\n\nRun {context.run}.\n"
    annotation = {
        key: verdict[key] for key in ("run", "at", "publication", "documents", "promote", "reasons")
    }
    return publish_version(space, message, json.dumps(annotation, sort_keys=True))


def tell(context: Context, report: Report) -> None:
    """Say how it ended: to those who listen, and in the log."""
    if report.is_refused:
        said = report.to_dict()
        payload = {key: said[key] for key in ("version", "run", "reasons", "publication", "next")}
        context.on_event(Happened("model.refused", f"model.{report.model}", payload))
    logger.info(
        "Retraining of %s: %s",
        report.model,
        report.reason or f"{report.version}, {report.to_dict()['verdict']}",
        extra={"event": "retrain.ended", "run": report.run},
    )
