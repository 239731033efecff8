"""Writes a snapshot: whole or not at all, and the same rows as the same bytes.

``write_snapshot(folder, facts, Parts(documents=..., passages=..., ...))``. A passage's part file
follows from the id of its document, so that an edit changes one part; what is written depends on
nothing but what is given, the order of rows left aside.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.training.code import code_hash
from pipelines.training.records import (
    Facts,
    GeneralPair,
    GeneralText,
    House,
    Line,
    OwnPair,
    Question,
    VoiceExample,
    documents_schema,
    passages_schema,
    write_lines,
)
from pipelines.training.snapshot import FORMAT, Snapshot, content_hash, read_snapshot

if TYPE_CHECKING:
    import pyarrow as pa

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
    voice: Sequence[VoiceExample] = ()
    general_texts: Sequence[GeneralText] = ()
    house: House | None = None
    """Of a generator."""
    base_folder: Path | None = None
    """Weights of the base; None where it is the built-in one, which comes with the package."""
    champion_folder: Path | None = None
    """Weights of the champion; None where the base serves."""
    champion_manifest: Path | None = None
    """What the champion learned from, as its own ``manifest.jsonl``."""


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
            "content": content_hash(writing, facts),
            "code": code_hash(_project(folder)),
            "counts": {
                "documents": parts.documents.num_rows,
                "passages": parts.passages.num_rows,
                "questions": len(parts.questions),
                "own_pairs": len(parts.own_pairs),
                "general": len(parts.general) + len(parts.general_texts),
                "voice": len(parts.voice),
                "without_evidence": sum(not one.documents for one in parts.voice),
            },
        }
        text = json.dumps(about, indent=2, sort_keys=True, ensure_ascii=False)
        (writing / "snapshot.json").write_text(text + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        writing.rename(folder)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    return read_snapshot(folder, verify=False)


def _project(folder: Path) -> Path:
    """The project that a snapshot stands in: where its stages are."""
    return next((above for above in folder.parents if (above / "dvc.yaml").is_file()), folder)


def _check(parts: Parts) -> None:
    known = set(parts.documents["document"].to_pylist())
    used = set(parts.passages["document"].unique().to_pylist())
    used |= {document for question in parts.questions for document in question.documents}
    used |= {pair.document for pair in parts.own_pairs if pair.document}
    used |= {document for one in parts.voice for document in one.documents}
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
    lines: dict[str, Sequence[Line]] = {"questions": questions}
    if parts.house is None:
        lines |= {"pairs": parts.own_pairs, "general": parts.general}
    else:
        lines |= {"voice": parts.voice, "general-texts": parts.general_texts}
        lines |= {"house": [parts.house]}
    for name, some in lines.items():
        ordered = some if name == "questions" else sorted(some, key=_in_order)
        write_lines(folder / f"{name}.jsonl", ordered)
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


def _write(path: Path, table: "pa.Table") -> None:
    import pyarrow.parquet as pq

    pq.write_table(table.combine_chunks(), path, compression="zstd")
