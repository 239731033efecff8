"""Reads the immutable folder that a training starts from.

``read_snapshot(folder)`` gives a ``Snapshot``, whose parts are read when they are asked for. The
folder holds ``snapshot.json``, ``documents.parquet``, ``passages/000.parquet`` ...,
``questions.jsonl``, ``pairs.jsonl``, ``general.jsonl``, of a generator ``voice.jsonl``,
``general-texts.jsonl`` and ``house.jsonl`` instead, and, where there are such, ``base/``,
``champion/`` and ``champion-manifest.jsonl``.

Facts that differ from run to run (``run``, ``created_at``, ``publication``) are in
``snapshot.json`` alone and not in ``content``: the same rows, the same ``content``.
"""

import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import TrainingError
from pipelines.training.records import (
    Champion,
    Facts,
    GeneralPair,
    GeneralText,
    House,
    ManifestLine,
    OwnPair,
    Question,
    R,
    VoiceExample,
    Weights,
    read_lines,
)

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that was written."""

    folder: Path
    facts: Facts
    content: str
    """SHA-256 over all parts: two snapshots with the same one hold the same."""
    code: str
    """What identifies the code that was to train on it."""
    counts: dict[str, int]

    @functools.cached_property
    def documents(self) -> "pa.Table":
        """Rows of ``documents_schema``, by id."""
        return _read(self.folder / "documents.parquet")

    @functools.cached_property
    def passages(self) -> "pa.Table":
        """Rows of ``passages_schema``, by document and position."""
        import pyarrow as pa

        parts = sorted((self.folder / "passages").glob("*.parquet"))
        table = pa.concat_tables([_read(part) for part in parts])
        return table.sort_by([("document", "ascending"), ("position", "ascending")])

    @property
    def questions(self) -> list[Question]:
        """Imported and golden questions, by id."""
        return self._lines("questions.jsonl", Question)

    @property
    def own_pairs(self) -> list[OwnPair]:
        """The user's own pairs."""
        return self._lines("pairs.jsonl", OwnPair)

    @property
    def general(self) -> list[GeneralPair]:
        """The general set."""
        return self._lines("general.jsonl", GeneralPair)

    @property
    def voice(self) -> list[VoiceExample]:
        """Of a generator: questions and answers as the house writes them, by id."""
        return self._lines("voice.jsonl", VoiceExample)

    @property
    def general_texts(self) -> list[GeneralText]:
        """Of a generator: sentences and prompts on other subjects."""
        return self._lines("general-texts.jsonl", GeneralText)

    @property
    def house(self) -> House:
        """Of a generator: what is asked of an answer."""
        return next(iter(self._lines("house.jsonl", House)), House())

    @property
    def base_folder(self) -> Path | None:
        """Where the base's weights are; None where they come with the package."""
        return _folder(self.folder / "base")

    @property
    def champion_folder(self) -> Path | None:
        """Where the champion's weights are; None where the base serves."""
        return _folder(self.folder / "champion")

    def champion_manifest(self) -> Iterator[ManifestLine]:
        """What the champion learned from; nothing where the base serves."""
        return read_lines(self.folder / "champion-manifest.jsonl", ManifestLine)

    def _lines(self, name: str, kind: type[R]) -> list[R]:
        return list(read_lines(self.folder / name, kind))


def read_snapshot(folder: Path, *, verify: bool = True) -> Snapshot:
    """Read what a snapshot says about itself.

    Args:
        folder: As given to ``write_snapshot``.
        verify: Hash every part and compare: a file of DVC's cache can be cut short unseen.

    Raises:
        TrainingError: There is none, it has another format, or its parts are not what was written.
    """
    try:
        about = json.loads((folder / "snapshot.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"There is no snapshot in {folder.name}/ to train on.",
            hint="Run `staleproof retrain MODEL`, which writes one, or `dvc pull`.",
        ) from error
    if about.get("format") != FORMAT:
        raise TrainingError(
            f"The snapshot has format {about.get('format')}, this version reads {FORMAT}.",
            hint="Use the version of staleproof that wrote it.",
        )
    facts = _facts(about)
    if verify and content_hash(folder, facts) != about["content"]:
        raise TrainingError(
            "The snapshot is not the one that was written: a file of it was changed or cut short.",
            hint="Remove its folder and run `dvc pull`.",
        )
    return Snapshot(folder, facts, about["content"], about["code"], about["counts"])


def check_base(snapshot: Snapshot, found: str) -> None:
    """See that a base is the one that a snapshot names.

    Args:
        snapshot: Names it.
        found: Fingerprint of the one that is there.

    Raises:
        TrainingError: It is another one.
    """
    base = snapshot.facts.base
    if found != base.fingerprint:
        raise TrainingError(
            f"The base {base.model} has fingerprint {found[:12]}, the snapshot names "
            f"{base.fingerprint[:12]}; nothing was trained.",
            hint="Install the versions in constraints.txt, or retrain from a new snapshot.",
        )


def content_hash(folder: Path, facts: Facts) -> str:
    """Over names and bytes of all files, and over the facts that a training depends on."""
    total = hashlib.sha256(
        json.dumps(
            [facts.model, facts.kind, asdict(facts.base), facts.champion.fingerprint]
        ).encode()
    )
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name != "snapshot.json":
            with file.open("rb") as stream:
                total.update(f"{name}\n".encode())
                total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _facts(about: dict[str, Any]) -> Facts:
    plain = ("model", "kind", "knowledge", "publication", "run", "left_out")
    return Facts(
        **{key: about[key] for key in plain},
        created_at=datetime.fromisoformat(about["created_at"]),
        base=Weights(**about["base"]),
        champion=Champion(**about["champion"]),
    )


def _folder(path: Path) -> Path | None:
    return path if path.is_dir() else None


def _read(path: Path) -> "pa.Table":
    import pyarrow.parquet as pq

    return pq.read_table(path)
