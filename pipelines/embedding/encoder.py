"""Counts tokens and turns texts into vectors with a sentence-transformers model."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines import quiet
from pipelines.embedding.layout import Layout, read_layout
from pipelines.embedding.weights import fingerprint, locate_model
from pipelines.errors import ConfigError
from pipelines.records import Encoder, Tokens, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer


@dataclass(eq=False)
class ModelTokens:
    """Counts the tokens of passages with the model's own tokenizer."""

    folder: Path
    max_tokens: int
    """The longest passage that is not cut off, special tokens and document prompt counted."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as a passage, special tokens and document prompt counted."""
        return self._count(self._layout.document_prompt, texts)

    def count_query(self, text: str) -> int:
        """Tokens of a text as a question, special tokens and query prompt counted."""
        return self._count(self._layout.query_prompt, [text])[0]

    def _count(self, prompt: str, texts: Sequence[str]) -> list[int]:
        encodings = self._tokenizer.encode_batch_fast([prompt + text for text in texts])
        return [len(encoding.ids) for encoding in encodings]

    @functools.cached_property
    def _layout(self) -> Layout:
        return read_layout(self.folder)

    @functools.cached_property
    def _tokenizer(self) -> "Tokenizer":
        quiet.silence()
        from tokenizers import Tokenizer, normalizers

        tokenizer = Tokenizer.from_file(str(self._layout.tokenizer))
        # The file may ask for both; a count must see the whole text and nothing else.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if self._layout.lower_case:
            own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
            tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
        return tokenizer


@dataclass(eq=False)
class SentenceTransformerEncoder:
    """A model of a local folder, loaded at the first text that it encodes.

    Everything else about it is known without importing torch.
    """

    model: str
    """As the configuration spells it."""
    fingerprint: str
    dimension: int
    max_tokens: int
    folder: Path
    tokens: ModelTokens
    batch_size: int

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as a passage, special tokens and document prompt counted."""
        return self.tokens.count(texts)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Passages -> ``(n, d)`` float32 of unit norm, in the order given.

        Raises:
            ValueError: A text is longer than ``max_tokens``; nothing is cut off silently.
        """
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        longest = max(self.count(texts))
        if longest > self.max_tokens:
            raise ValueError(
                f"a passage has {longest} tokens, {self.model} takes {self.max_tokens}"
            )
        return np.asarray(
            self._loaded.encode_document(
                list(texts),
                prompt=self._layout.document_prompt,
                batch_size=self.batch_size,
                show_progress_bar=False,
                normalize_embeddings=True,
            ),
            dtype=np.float32,
        )

    def encode_query(self, text: str) -> Vectors:
        """A question -> ``(d,)`` float32 of unit norm.

        Raises:
            ConfigError: The question is longer than ``max_tokens``.
        """
        length = self.tokens.count_query(text)
        if length > self.max_tokens:
            raise ConfigError(
                f"The question has {length} tokens, {self.model} takes {self.max_tokens}.",
                hint="Ask a shorter one.",
            )
        vectors = self._loaded.encode_query(
            [text],
            prompt=self._layout.query_prompt,
            show_progress_bar=False,
            normalize_embeddings=True,
        )
        return np.asarray(vectors[0], dtype=np.float32)

    @functools.cached_property
    def _layout(self) -> Layout:
        return read_layout(self.folder)

    @functools.cached_property
    def _loaded(self) -> "SentenceTransformer":
        # Where its files contradict each other, what was counted is what counts.
        return load_model(self.folder, max_tokens=self.max_tokens)


def load_model(folder: Path, *, max_tokens: int) -> "SentenceTransformer":
    """The weights of a folder in memory, as float32, on the graphics processor where there is one.

    Args:
        folder: As ``locate_model`` gives it.
        max_tokens: Longer texts are cut off.
    """
    quiet.silence()
    import torch
    from sentence_transformers import SentenceTransformer

    loaded = SentenceTransformer(
        str(folder),
        device="cuda" if torch.cuda.is_available() else "cpu",
        trust_remote_code=False,
        local_files_only=True,
        model_kwargs={"use_safetensors": True, "dtype": torch.float32},
    )
    loaded.max_seq_length = max_tokens
    return loaded


def load_tokens(folder: Path) -> Tokens:
    """The tokenizer of a model's folder.

    Raises:
        ConfigError: The folder holds no usable model.
    """
    return ModelTokens(folder, read_layout(folder).max_tokens)


def load_encoder(model: str, *, root: Path, batch_size: int = 32) -> Encoder:
    """An encoder by name, verified and fingerprinted, its weights not yet in memory.

    Args:
        model: As for ``locate_model``.
        root: What relative folders are relative to.
        batch_size: Texts that go through the model at once.

    Raises:
        ConfigError: As for ``locate_model``.
    """
    folder = locate_model(model, root=root)
    layout = read_layout(folder)
    return SentenceTransformerEncoder(
        model=model,
        fingerprint=fingerprint(folder),
        dimension=layout.dimension,
        max_tokens=layout.max_tokens,
        folder=folder,
        tokens=ModelTokens(folder, layout.max_tokens),
        batch_size=batch_size,
    )
