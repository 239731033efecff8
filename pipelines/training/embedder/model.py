"""Loads an embedder the same way in every stage, and makes it repeat itself bit by bit."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines import quiet
from pipelines.embedding import fingerprint, load_encoder, load_model, locate_model
from pipelines.errors import TrainingError
from pipelines.records import Vectors
from pipelines.training.params import Params
from pipelines.training.snapshot import Snapshot

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def base_folder(snapshot: Snapshot) -> Path:
    """The folder of the base's weights, checked against the snapshot.

    Raises:
        TrainingError: They are not the ones that the snapshot names.
    """
    base = snapshot.facts.base
    folder = snapshot.base_folder or locate_model(base.model, root=snapshot.folder)
    found = fingerprint(folder)
    if found != base.fingerprint:
        raise TrainingError(
            f"The base {base.model} has fingerprint {found[:12]}, the snapshot names "
            f"{base.fingerprint[:12]}; nothing was trained.",
            hint="Install the versions in constraints.txt, or retrain from a new snapshot.",
        )
    return folder


def make_repeatable(params: Params) -> None:
    """The same bytes from the same input: fixed seed and threads, no operation that guesses."""
    # Read when CUDA starts, so before torch.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    quiet.silence()
    import torch
    from transformers import set_seed

    torch.set_num_threads(params.threads)
    torch.use_deterministic_algorithms(True)
    set_seed(params.seed)


def open_model(folder: Path, *, max_tokens: int | None = None) -> "SentenceTransformer":
    """The model of a folder in memory; ``max_tokens`` cuts texts shorter than it would itself."""
    takes = load_encoder(str(folder), root=folder).max_tokens
    return load_model(folder, max_tokens=min(takes, max_tokens or takes))


def passage_vectors(model: "SentenceTransformer", texts: Sequence[str], batch: int) -> Vectors:
    """Passages -> ``(n, d)`` float32 of unit norm; what is too long is cut off."""
    found = model.encode_document(
        list(texts), batch_size=batch, show_progress_bar=False, normalize_embeddings=True
    )
    return np.asarray(found, dtype=np.float32).reshape(len(texts), -1)


def question_vectors(model: "SentenceTransformer", texts: Sequence[str], batch: int) -> Vectors:
    """Questions -> ``(n, d)`` float32 of unit norm; what is too long is cut off."""
    found = model.encode_query(
        list(texts), batch_size=batch, show_progress_bar=False, normalize_embeddings=True
    )
    return np.asarray(found, dtype=np.float32).reshape(len(texts), -1)
