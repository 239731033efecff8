"""Writes and reads the immutable folder that a training starts from.

``write_snapshot(folder, facts, Parts(documents=..., passages=..., ...))`` writes it whole or not at
all; ``read_snapshot(folder)`` gives a ``Snapshot``, whose parts are read when they are asked for.
The folder holds ``snapshot.json``, ``documents.parquet``, ``passages/000.parquet`` ...,
``questions.jsonl``, ``pairs.jsonl``, ``general.jsonl`` and, where there are such, ``base/``,
``champion/`` and ``champion-manifest.jsonl``.

A passage's part file follows from the id of its document, so that an edit changes one part; what
is written depends on nothing but what is given: the same rows in any order, the same bytes, and the
same ``content``. Facts that differ from run to run (``run``, ``created_at``, ``publication``) are in
``snapshot.json`` alone and not in ``content``.
"""

import functools
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import TrainingError
from pipelines.training.code import code_hash
from pipelines.training.records import (
    Champion,
    Facts,
    GeneralPair,
    Line,
    ManifestLine,
    OwnPair,
    Question,
    R,
    Weights,
    documents_schema,
    passages_schema,
    read_lines,
    write_lines,
)

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
ROWS_A_PART = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a snapshot holds."""

    documents: "pa.Table"
    """Of ``documents_schema``, in any order."""
    passages: "pa.Table"
    """Of ``passages_schema``, in any order; each of one of ``documents``."""
    questions: Sequence[Question] = ()
    own_pairs: Sequence[OwnPair] = ()
    general: Sequence[GeneralPair] = ()
    base_folder: Path | None = None
    """Weights of the base; None where it is the built-in one, which comes with the package."""
    champion_folder: Path | None = None
    """Weights of the champion; None where the base serves."""
    champion_manifest: Path | None = None
    """What the champion learned from, as its own ``manifest.jsonl``."""


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


def write_snapshot(folder: Path, facts: Facts, parts: Parts) -> Snapshot:
    """Write a snapshot; a folder that is there already is replaced at the very end.

    Raises:
        ValueError: A passage, question or pair is of a document that is not among the documents,
            or a trained champion comes without its manifest.
    """
    _check(parts)
    writing = folder.with_name(f"{folder.name}.writing")
    shutil.rmtree(writing, ignore_errors=True)
    (writing / "passages").mkdir(parents=True)
    try:
        _write_parts(writing, parts)
        about = {
            "format": FORMAT,
            **asdict(facts),
            "created_at": facts.created_at.isoformat(),
            "content": _content(writing, facts),
            "code": code_hash(_project(folder)),
            "counts": {
                "documents": parts.documents.num_rows,
                "passages": parts.passages.num_rows,
                "questions": len(parts.questions),
                "own_pairs": len(parts.own_pairs),
                "general": len(parts.general),
            },
        }
        text = json.dumps(about, indent=2, sort_keys=True, ensure_ascii=False)
        (writing / "snapshot.json").write_text(text + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        writing.rename(folder)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    return read_snapshot(folder, verify=False)


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
    if verify and _content(folder, facts) != about["content"]:
        raise TrainingError(
            "The snapshot is not the one that was written: a file of it was changed or cut short.",
            hint="Remove its folder and run `dvc pull`.",
        )
    return Snapshot(folder, facts, about["content"], about["code"], about["counts"])


def _project(folder: Path) -> Path:
    """The project that a snapshot stands in: where its stages are."""
    return next((above for above in folder.parents if (above / "dvc.yaml").is_file()), folder)


def _check(parts: Parts) -> None:
    known = set(parts.documents["document"].to_pylist())
    used = set(parts.passages["document"].unique().to_pylist())
    used |= {document for question in parts.questions for document in question.documents}
    used |= {pair.document for pair in parts.own_pairs if pair.document}
    if used - known:
        raise ValueError(f"{len(used - known)} documents are used that are not in the snapshot")
    if (parts.champion_folder is None) != (parts.champion_manifest is None):
        raise ValueError("a trained champion has weights and a manifest")


def _write_parts(folder: Path, parts: Parts) -> None:
    documents = parts.documents.select(documents_schema().names).cast(documents_schema())
    _write(folder / "documents.parquet", documents.sort_by("document"))
    passages = parts.passages.select(passages_schema().names).cast(passages_schema())
    for number, part in enumerate(_partitioned(passages)):
        _write(folder / "passages" / f"{number:03}.parquet", part)
    questions = sorted(parts.questions, key=lambda question: (question.kind, question.id))
    write_lines(folder / "questions.jsonl", questions)
    write_lines(folder / "pairs.jsonl", sorted(parts.own_pairs, key=_in_order))
    write_lines(folder / "general.jsonl", sorted(parts.general, key=_in_order))
    for name, weights in (("base", parts.base_folder), ("champion", parts.champion_folder)):
        if weights is not None:
            shutil.copytree(weights, folder / name)
    if parts.champion_manifest is not None:
        shutil.copyfile(parts.champion_manifest, folder / "champion-manifest.jsonl")


def _partitioned(passages: "pa.Table") -> Iterator["pa.Table"]:
    """A power of two of parts, by the hash of the document's id: most edits change one part."""
    import pyarrow as pa
    import pyarrow.compute as pc

    count = 1
    while passages.num_rows > count * ROWS_A_PART:
        count *= 2
    parts = {name: _hash(name) % count for name in passages["document"].unique().to_pylist()}
    part_of = pa.array([parts[name] for name in passages["document"].to_pylist()], pa.int32())
    for number in range(count):
        part = passages.filter(pc.equal(part_of, number))
        yield part.sort_by([("document", "ascending"), ("position", "ascending")])


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _in_order(line: Line) -> str:
    return json.dumps(line.to_dict(), sort_keys=True)


def _content(folder: Path, facts: Facts) -> str:
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


def _write(path: Path, table: "pa.Table") -> None:
    import pyarrow.parquet as pq

    pq.write_table(table.combine_chunks(), path, compression="zstd")
