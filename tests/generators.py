"""Generators of the house that are really trained: a project with its parameters and a snapshot."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from pipelines.training import Snapshot, VoiceExample, Weights
from pipelines.training.generator.base import PACKAGED, fingerprint, locate_base
from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from tests.house import GENERAL, HOUSE, MODEL, few
from tests.snapshots import Page, facts, written

SENTENCES = Path(__file__).parents[1] / "pipelines" / "retrain" / "general_texts.jsonl"


@functools.cache
def base() -> tuple[Path, str]:
    """The packaged base, opened once, and what identifies it."""
    folder = locate_base(PACKAGED, root=Path())
    return folder, fingerprint(folder)


def project(
    root: Path,
    params: GeneratorParams,
    pages: Sequence[Page] | None = None,
    voice: Sequence[VoiceExample] | None = None,
    **parts: Any,
) -> Place:
    """A project whose snapshot names the packaged base, and whose parameters are those."""
    place = Place(root, MODEL)
    place.folder.mkdir(parents=True)
    with_parameters(root, params)
    some, theirs = few()
    snapshot(place, some if pages is None else pages, theirs if voice is None else voice, **parts)
    return place


def with_parameters(root: Path, params: GeneratorParams) -> None:
    """Write ``params.yaml``."""
    text = yaml.safe_dump({"models": {MODEL: params.model_dump()}})
    (root / "params.yaml").write_text(text, encoding="utf-8")


def snapshot(
    place: Place, pages: Sequence[Page], voice: Sequence[VoiceExample], **parts: Any
) -> Snapshot:
    """The same as of ``tests.house``, of weights that are there."""
    about = facts(kind="generator", model=MODEL, base=Weights(PACKAGED, base()[1]))
    plain: dict[str, Any] = {"general": (), "general_texts": GENERAL, "house": HOUSE}
    return written(place.snapshot, pages, about=about, voice=voice, **(plain | parts))


def start(stage: str, place: Place, **variables: str) -> "subprocess.Popen[str]":
    """A stage in a process of its own, as DVC runs it."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "pipelines.training", stage, place.model],
        cwd=place.root,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(stage: str, place: Place, **variables: str) -> list[str]:
    """Run a stage to its end; what it said on stdout."""
    process = start(stage, place, **variables)
    said, errors = process.communicate()
    assert process.returncode == 0, errors
    return said.splitlines()


def taught(
    place: Place, root: Path, params: GeneratorParams, *, kinds: Sequence[str] = ()
) -> Place:
    """The same data set, or only the examples of some kinds, learned with other parameters."""
    other = Place(root, place.model)
    shutil.copytree(place.snapshot, other.snapshot)
    shutil.copytree(place.dataset, other.dataset)
    if kinds:
        file = other.dataset / "examples.parquet"
        pq.write_table(pq.read_table(file, filters=[("kind", "in", kinds)]), file)
    with_parameters(root, params)
    run("train", other)
    return other
