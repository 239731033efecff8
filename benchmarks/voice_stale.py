"""The demo's yearly review, watched for a generator that reads passages and for one that learned by heart.

FOLDER is what `python -m benchmarks.voice --keep FOLDER` leaves; it is read and stays as it is. The
second version learns the same answers without their passages, on purpose, until it knows them. Both
serve, whatever their gate would say, are looked at, then 80 of the demo's 200 facts change, and the
looks that follow (one asks about at most `max_facts`) tell what they made of that.
"""

import argparse
import re
import shutil
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import head, row
from benchmarks.voice import HERE, MODEL, staged, staleproof
from pipelines.config import load_config
from pipelines.knowledge import GENERATORS, insert_until_won, open_store
from pipelines.registry import Version
from pipelines.watch import Ports, Watched, watch_models

REVIEW = HERE / "data" / "edits" / "2026-09-07-yearly-review" / "files"
VERSION = "v0.0.1"
BY_HEART = {"passages": "0", "epochs": "12.0", "learning_rate": "1.0e-3"}
"""Parameters by which facts stay in the weights."""


def copied(kept: Path, root: Path) -> Path:
    """A project of its own, for its documents will change."""
    shutil.copytree(kept, root, symlinks=True)
    return root


def learned_by_heart(root: Path) -> None:
    """Another version of the same answers, without passages."""
    file = root / "params.yaml"
    before, _, after = file.read_text("utf-8").partition(f"{MODEL}:")
    for name, value in BY_HEART.items():
        after = re.sub(rf"(?m)^(\s+{name}:\s*)\S+", rf"\g<1>{value}", after)
    file.write_text(f"{before}{MODEL}:{after}", "utf-8")
    staged(root, "dataset", "train")


def serving(root: Path) -> None:
    """Lets the version that was trained serve."""
    config, now = load_config(root / "staleproof.toml"), datetime.now(UTC)
    insert_until_won(
        open_store(config.store_uri, now=now),
        lambda last: replace(last, kind=GENERATORS, at=now, run="serve", models={MODEL: VERSION}),
    )


def ports(root: Path) -> Ports:
    """A registry that has the version's files at hand."""

    def version(project: Path, model: str, name: str) -> Version:
        del project
        return Version(model=model, version=name, commit="", base="", created_at=datetime.now(UTC))

    def checkout(project: Path, found: Version, path: str, target: Path) -> Path:
        del project, found
        target.parent.mkdir(parents=True, exist_ok=True)
        if (root / path).is_dir():
            shutil.copytree(root / path, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(root / path, target)
        return target

    return Ports(find_version=version, checkout_path=checkout)


def looked(root: Path) -> Watched:
    """What a look says of the generator."""
    report = watch_models(
        load_config(root / "staleproof.toml"),
        now=datetime.now(UTC),
        run_id=uuid.uuid4().hex[:12],
        ports=ports(root),
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
    nats = sorted(one.memory for one in held if one.memory is not None)
    facts, as_before = sum(one.facts for one in held), sum(one.as_before for one in held)
    row(f"{name}: answered as before", f"{as_before} of {facts}", f"{len(held)} documents")
    if nats:
        row(
            f"{name}: former values preferred, nats a token",
            f"median {nats[len(nats) // 2]:+.2f}",
            f"{nats[0]:+.2f} to {nats[-1]:+.2f}",
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
            root = copied(kept, Path(scratch) / name)
            if name == "by heart":
                learned_by_heart(root)
            serving(root)
            told(f"{name}, before", looks(root))
            shutil.copytree(REVIEW, root / "data" / "handbook", dirs_exist_ok=True)
            staleproof(root, "refresh", "--json")
            told(name, looks(root))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder)
