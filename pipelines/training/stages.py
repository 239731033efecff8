"""The three stages of ``dvc.yaml``; they read snapshot, ``params.yaml`` and code, nothing else."""

from pathlib import Path

from pipelines.training.kinds import kind_of
from pipelines.training.params import read_params
from pipelines.training.places import Place
from pipelines.training.snapshot import read_snapshot

STAGES = ("dataset", "train", "evaluate")


def run_stage(stage: str, root: Path, model: str) -> None:
    """Run one of ``STAGES`` of a model below a project's root.

    Raises:
        ConfigError: ``params.yaml`` is not as it should be.
        TrainingError: Snapshot, base or data set are not, or there are too few documents.
    """
    place = Place(root, model)
    # Its first reader hashes every part; the stages after it stand on what it made.
    snapshot = read_snapshot(place.snapshot, verify=stage == "dataset")
    kind = kind_of(snapshot)
    params = read_params(root, model, snapshot.facts.kind)
    if stage == "dataset":
        kind.make_dataset(place, snapshot, params)
    elif stage == "train":
        kind.learn(place, snapshot, params)
    else:
        kind.evaluate(place, snapshot, params)
