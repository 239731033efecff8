"""The demo's yearly review, watched for a generator that reads passages and for one that learned by heart.

FOLDER is what `python -m benchmarks.voice --keep FOLDER` leaves; it is read and stays as it is. The
second version learns the same answers without their passages, on purpose, until it knows them. Both
serve, whatever their gate would say, are looked at, then 80 of the demo's 200 facts change, and the
looks that follow (one asks about at most `max_facts`) tell what they made of that.
"""

import argparse
import shutil
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, median

import yaml

from benchmarks.measure import head, row
from benchmarks.retrain import staleproof
from benchmarks.voice import HERE, MODEL, staged
from benchmarks.watch import VERSION, ports
from pipelines.config import load_config
from pipelines.embedding import load_encoder
from pipelines.knowledge import GENERATORS, insert_until_won, open_store
from pipelines.watch import Watched, watch_models

REVIEW = HERE / "data" / "edits" / "2026-09-07-yearly-review" / "files"
BY_HEART = {"passages": 0, "epochs": 12.0, "learning_rate": 1e-3}
"""Parameters by which facts stay in the weights."""


def learned_by_heart(root: Path) -> None:
    """Another version of the same answers, without passages."""
    file = root / "params.yaml"
    said = yaml.safe_load(file.read_text("utf-8"))
    said["models"][MODEL] |= BY_HEART
    file.write_text(yaml.safe_dump(said), "utf-8")
    staged(root, "dataset", "train")


def serving(root: Path) -> None:
    """Lets the version that was trained serve."""
    config, now = load_config(root / "staleproof.toml"), datetime.now(UTC)
    insert_until_won(
        open_store(config.store_uri, now=now),
        lambda last: replace(last, kind=GENERATORS, at=now, run="serve", models={MODEL: VERSION}),
    )


def looked(root: Path) -> Watched:
    """What a look says of the generator."""
    report = watch_models(
        load_config(root / "staleproof.toml"),
        now=datetime.now(UTC),
        run_id=uuid.uuid4().hex[:12],
        ports=ports(root, load_encoder),
    )
    [found] = [one for one in report.models if one.model == MODEL]
    return found


def looks(root: Path) -> list[Watched]:
    """Looks until nothing is left to ask."""
    found = [looked(root)]
    while (last := looked(root)).happened is not None:
        found.append(last)
    return found


def told(name: str, watched: Sequence[Watched]) -> None:
    """The verdicts, and what they rest on."""
    for number, look in enumerate(watched, 1):
        row(f"{name}: look {number}", look.verdict.level if look.verdict else "-", look.said)
    verdict = watched[-1].verdict
    held = [one for look in watched if look.happened for one in look.happened.held]
    for reason in verdict.reasons if verdict else ():
        row(f"{name}: because", reason)
    if verdict is None or not held:
        return
    nats = [one.memory for one in held if one.memory is not None]
    facts, as_before = sum(one.facts for one in held), sum(one.as_before for one in held)
    row(f"{name}: answered as before", f"{as_before} of {facts}", f"{len(held)} documents")
    if nats:
        row(
            f"{name}: former values preferred, nats a token",
            f"mean {fmean(nats):+.2f}, median {median(nats):+.2f}",
            f"{min(nats):+.2f} to {max(nats):+.2f}",
        )
    row(f"{name}: exposure", f"{verdict.exposure:.2f}")
    for one in held:
        memory = "-" if one.memory is None else f"{one.memory:+.2f}"
        row(f"{name}: {one.uri}", f"{one.as_before} of {one.facts}", memory)


def main(kept: Path) -> None:
    """Each version, before the review and after it."""
    head("The demo's yearly review")
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("with passages", "by heart"):
            root = Path(scratch) / name
            shutil.copytree(kept, root)  # its documents will change
            if name == "by heart":
                learned_by_heart(root)
            serving(root)
            told(f"{name}, before", looks(root))
            shutil.copytree(REVIEW, root / "data" / "handbook", dirs_exist_ok=True)
            staleproof(root, "refresh")
            told(name, looks(root))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder)
