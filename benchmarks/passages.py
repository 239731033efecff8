"""The passages of a handbook's whole history, cut and embedded once, with their subjects.

A subject is what the handbook's own folders say, never a cluster of vectors: a detector that
clusters must not be helped by the way in which the change was made.
"""

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np

from benchmarks.streams import Pool, load
from pipelines.documents import cut, read_document, read_front_matter
from pipelines.embedding import load_encoder
from pipelines.records import Failure, FrontMatter, Tokens

SUBJECTS = {
    "policies": ("policies",),
    "how we work": ("how-we-work", "supervisor-resources", "launching-software"),
    "about": ("about-us", "tts-offices", "locations", "office-of-operations"),
    "units": ("business-units", "18f", "welcome-to-18f"),
    "first days": ("welcome-to-TTS", "getting-started"),
    "general": ("general-information-and-resources", "general", "updating-the-handbook"),
    "travel and leave": ("travel-and-leave", "travel-leave"),
    "tools": ("software-tools", "tools", "software-and-tools"),
    "hiring": ("hiring-and-jobs", "hiring-staying-or-changing-jobs"),
    "growing": ("performance-management", "training-and-development", "training-development"),
}
"""Subject -> folders of the handbook; what lies elsewhere is left out."""
MOST = 8000
"""Passages, drawn by hash: embedding them takes a quarter of an hour on one busy core."""


def pool(bundle: Path, folder: Path, *, model: str) -> Pool:
    """Passages of a bundle's history, kept in ``folder`` once they are embedded."""
    if not (folder / "subjects.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        encoder = load_encoder(model, root=folder)
        every = _passages(_contents(bundle, folder / "history.git"), encoder)
        found = dict(sorted(every.items(), key=lambda item: _hash(item[0]))[:MOST])
        np.save(folder / "vectors.npy", encoder.encode(list(found)))
        np.save(folder / "subjects.npy", np.array(list(found.values())))
    return load(folder)


def said(pool: Pool) -> str:
    """How many passages there are of each subject, as JSON."""
    counts = np.bincount(pool.subjects, minlength=len(SUBJECTS))
    return json.dumps(dict(zip(SUBJECTS, counts.tolist(), strict=True)))


def _contents(bundle: Path, bare: Path) -> list[tuple[int, bytes]]:
    """Subject and bytes of each distinct version of a document, oldest first."""
    git = ["git", "-C", str(bare)]
    if not bare.exists():
        clone = ["git", "clone", "--quiet", "--bare", "--branch", "main", str(bundle), str(bare)]
        subprocess.run(clone, check=True)
    log = ["log", "--reverse", "--raw", "--no-abbrev", "-z", "--format=", "--no-renames", "main"]
    told = subprocess.run([*git, *log], check=True, capture_output=True, text=True).stdout
    fields = [field for field in told.split("\0") if field]
    subject_of = {name: n for n, names in enumerate(SUBJECTS.values()) for name in names}
    newest: dict[str, int] = {}
    for about, path in zip(fields[::2], fields[1::2], strict=True):
        blob, (_, folder, *below) = about.split()[3], [*path.split("/"), ""]
        if below[:-1] and path.endswith(".md") and blob.strip("0") and folder in subject_of:
            newest[blob] = subject_of[folder]
    return [(subject, _blob(git, blob)) for blob, subject in newest.items()]


def _blob(git: list[str], name: str) -> bytes:
    return subprocess.run([*git, "cat-file", "blob", name], check=True, capture_output=True).stdout


def _passages(contents: list[tuple[int, bytes]], tokens: Tokens) -> dict[str, int]:
    """Embedded text of each distinct passage -> its subject, the newest one."""
    found: dict[str, int] = {}
    for subject, data in contents:
        asked = read_front_matter(data)
        said = asked if isinstance(asked, FrontMatter) else None
        document = read_document(data, path="page.md", front_matter=said)
        if not isinstance(document, Failure):
            found |= {chunk.embedded: subject for chunk in cut(document, tokens)}
    return found


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode()).digest()
