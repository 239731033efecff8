"""Has a process of its own load a generator and answer, before any reader is told to use it.

``python -P -m pipelines.promote.trial FOLDER ADAPTER`` does so with what ``prepare`` put in FOLDER.
It ends as soon as nobody holds its standard input any more, so that no trial outlives who asked.
"""

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import StaleproofError, TrialFailed
from pipelines.training import read_snapshot
from pipelines.training.params import GeneratorParams, read_params
from pipelines.training.records import digest

if TYPE_CHECKING:
    from pipelines.config import Config
    from pipelines.promote.records import Registry
    from pipelines.registry import Version

PROMPTS = 8
SECONDS = 1_800
FILES = {
    "snapshot": "snapshot",
    "dataset/questions.parquet": "questions.parquet",
    "evaluation/scores.parquet": "scores.parquet",
}
"""What a trial needs of a version, below its folder -> where the trial finds it."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a trial."""

    asked: int
    """Prompts: of held-out questions that the version answered in form when it was evaluated."""
    held: int
    """Of them, those that it answers in the house's form now."""


def prepare(config: "Config", version: "Version", registry: "Registry", into: Path) -> None:
    """Fetches what a trial of a version needs.

    Raises:
        RegistryError: It cannot be had.
        UnknownName: The version has no such data: it is none of a generator.
    """
    home = f"data/training/{version.model}"
    for path, name in FILES.items():
        registry.checkout_path(config.root, version, f"{home}/{path}", into / name)
    params = registry.read_text(config.root, version, "params.yaml")
    (into / "params.yaml").write_text(params, encoding="utf-8")


def try_elsewhere(folder: Path, adapter: Path) -> Tried:
    """Has a fresh process answer, as one that serves would.

    Args:
        folder: As ``prepare`` left it.
        adapter: The weights of the version.

    Raises:
        TrialFailed: They cannot be loaded, or the process ended without an answer.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "pipelines.promote.trial", str(folder), str(adapter)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    late = threading.Timer(SECONDS, process.kill)
    late.start()
    try:
        printed = process.stdout.read() if process.stdout else ""
        process.wait()
        said: dict[str, Any] = json.loads(printed.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise TrialFailed(
            "The process that was to load the version ended without an answer."
            " Readers saw nothing of it.",
            hint="See that there is memory for the base and its adapter, and promote again.",
        ) from error
    finally:
        late.cancel()
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.wait()
    if "error" in said:
        raise TrialFailed(said["error"], hint=said["hint"])
    return Tried(said["asked"], said["held"])


def try_here(folder: Path, adapter: Path) -> Tried:
    """Loads base and adapter and answers a few prompts, in this process.

    Raises:
        TrainingError: The base is not the one that the adapter was trained on.
        ConfigError: The base cannot be had.
    """
    from pipelines.training.generator.base import base_folder
    from pipelines.training.generator.decode import answers
    from pipelines.training.generator.model import open_generator
    from pipelines.training.generator.scores import in_form

    # Each file was checked against its hash when it was fetched.
    snapshot = read_snapshot(folder / "snapshot", verify=False)
    params = read_params(folder, snapshot.facts.model, "generator")
    if not isinstance(params, GeneratorParams):
        raise TypeError("these are not the parameters of a generator")
    opened = open_generator(base_folder(snapshot), adapter=adapter, precision=params.precision)
    prompts = [json.loads(row["messages"]) for row in _chosen(folder)]
    said = answers(opened, prompts, max_new_tokens=params.max_new_tokens)
    return Tried(len(said), sum(in_form(text, snapshot.house) for text in said))


def _chosen(folder: Path) -> list[dict[str, Any]]:
    """Held-out questions by hash, those first that were answered in form."""
    import pyarrow.parquet as pq

    scores = pq.read_table(
        folder / "scores.parquet", columns=["set", "model", "question", "format"]
    )
    good = {
        row["question"]
        for row in scores.to_pylist()
        if (row["set"], row["model"], row["format"]) == ("held_out", "challenger", 1.0)
    }
    rows = pq.read_table(folder / "questions.parquet").to_pylist()
    asked = [row for row in rows if row["set"] == "held_out"]
    asked.sort(key=lambda row: (row["id"] not in good, digest("trial", row["id"])))
    return asked[:PROMPTS]


def _end_when_alone() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


def main(folder: str, adapter: str) -> int:
    """Prints what came of it as one line of JSON."""
    threading.Thread(target=_end_when_alone, daemon=True).start()
    try:
        told: dict[str, Any] = asdict(try_here(Path(folder), Path(adapter)))
    except StaleproofError as error:
        told = {"error": error.message, "hint": error.hint}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
