"""Chunks to vectors: finds a model, says what identifies it, counts its tokens, encodes."""

from pipelines.embedding.encoder import (
    SentenceTransformerEncoder,
    load_encoder,
    load_model,
    load_tokens,
)
from pipelines.embedding.weights import fingerprint, locate_model

__all__ = [
    "SentenceTransformerEncoder",
    "fingerprint",
    "load_encoder",
    "load_model",
    "load_tokens",
    "locate_model",
]
