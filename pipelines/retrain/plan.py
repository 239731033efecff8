"""What a retraining would learn from, take and cost; nothing is trained, and no version made."""

import tempfile
from datetime import datetime
from pathlib import Path

from pipelines.config import Config, ModelConfig
from pipelines.embedding import locate_model
from pipelines.errors import NotVersioned
from pipelines.registry import newest_version, versions
from pipelines.registry.objects import text_at
from pipelines.registry.workspace import uncommitted
from pipelines.retrain.costs import estimate
from pipelines.retrain.efforts import count_examples, effort
from pipelines.retrain.report import Planned
from pipelines.retrain.snapshot import take_snapshot
from pipelines.retrain.stored import read_verdict
from pipelines.training.generator.base import locate_base
from pipelines.training.params import AnyParams, read_params


def plan_retrain(config: Config, name: str, *, now: datetime, run_id: str) -> Planned:
    """Hours, memory and money before a run, and what it would not learn from.

    Args:
        config: The configuration.
        name: Of the model.
        now: The time; permissions are those of its day.
        run_id: Names this look.

    Raises:
        UnknownName: The configuration has no such model.
        NotVersioned: The project is not in git, or has no parameters of the model.
        PublicationNotFound: Nothing is published yet.
    """
    model = config.model(name)
    known = versions(config.root, name)
    not_used = uncommitted(config.root)
    with tempfile.TemporaryDirectory(prefix="staleproof-") as scratch:
        params = _params(config.root, model, Path(scratch))
        taken = take_snapshot(
            config,
            model,
            Path(scratch) / "snapshot",
            former=newest_version(config.root, name),
            now=now,
            run=run_id,
        )
        snapshot = taken.snapshot
        pairs = count_examples(snapshot, params)
        work = effort(snapshot, params, pairs)
    weights = _base(config, model).rglob("*.safetensors")
    former = [(v.version, said) for v in known if (said := read_verdict(config.root, v))]
    size = sum(file.stat().st_size for file in weights)
    takes = estimate(work, former, weights_bytes=size, kind=model.kind)
    return Planned(
        knowledge=config.knowledge.name,
        model=name,
        publication=taken.publication.number,
        documents=snapshot.counts["documents"],
        passages=snapshot.counts["passages"],
        pairs=pairs,
        steps=work.steps,
        seconds=takes.seconds,
        measured_on=takes.measured_on,
        memory_bytes=takes.memory_bytes,
        cost=takes.seconds / 3600 * config.prices.train_hour,
        left_out=snapshot.facts.left_out,
        not_used=not_used,
        without_evidence=snapshot.counts.get("without_evidence", 0),
    )


def _base(config: Config, model: ModelConfig) -> Path:
    if model.kind == "generator":
        return locate_base(model.base, root=config.root, revision=model.revision)
    return locate_model(model.base, root=config.root)


def _params(root: Path, model: ModelConfig, scratch: Path) -> AnyParams:
    """The committed parameters: a run uses no others."""
    text = text_at(root, "HEAD", "params.yaml")
    if text is None:
        raise NotVersioned(
            "No commit of this project has a params.yaml.",
            hint=f"Write the parameters below models: {model.name}: and commit them.",
        )
    (scratch / "params.yaml").write_text(text, encoding="utf-8")
    return read_params(scratch, model.name, model.kind)
