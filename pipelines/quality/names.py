"""Names of people in a text, found by a model that the user supplies."""

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import quiet
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FindNames = Callable[[str], Iterable[tuple[int, int]]]
"""Spans of names in a text, as character offsets: start inclusive, end exclusive."""

MAX_CHARACTERS = 200_000
"""A model takes seconds for so many; what comes after them is not looked at."""
PIECE = 2_000
"""Characters that are tokenized at once."""
OVERLAP = 100
"""Characters that a piece shares with the next, so that no name is cut in two."""
STRIDE = 32
"""Tokens that two inputs of the model share, where a piece has more than it takes."""
BATCH = 8
"""Inputs of the model at a time."""
MAX_TOKENS = 512
MIN_SCORE = 0.8
"""Probability of a name's tokens."""

_NAME_LABEL = re.compile(
    r"(?i)(?:[BIELSU][-_])?(?:PER|PERSON|(?:GIVEN|FIRST|LAST|SUR|MIDDLE|FULL)?_?NAME)"
)
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(eq=False)
class NameFinder:
    """A token classification model of a local folder, loaded at the first text."""

    folder: Path
    labels: frozenset[int]
    """Those that stand for a part of a person's name."""

    def __call__(self, text: str) -> Iterator[tuple[int, int]]:
        """Spans of names; those of one name may touch. Found as they are asked for."""
        text = _SURROGATES.sub("?", text[:MAX_CHARACTERS])
        for start in range(0, len(text), PIECE - OVERLAP):
            for first, last in self._in_piece(text[start : start + PIECE]):
                yield start + first, start + last

    def _in_piece(self, piece: str) -> Iterator[tuple[int, int]]:
        import torch

        tokenizer, model = self._loaded
        inputs = tokenizer(
            piece,
            truncation=True,
            max_length=min(tokenizer.model_max_length, MAX_TOKENS),
            stride=STRIDE,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=True,
            return_tensors="pt",
        )
        spans = inputs.pop("offset_mapping")
        inputs.pop("overflow_to_sample_mapping", None)
        for start in range(0, len(spans), BATCH):
            batch = {key: value[start : start + BATCH] for key, value in inputs.items()}
            with torch.inference_mode():
                scores = model(**batch).logits.softmax(dim=-1)
            best, label = scores.max(dim=-1)
            is_name = torch.isin(label, torch.tensor(sorted(self.labels))) & (best >= MIN_SCORE)
            found = spans[start : start + BATCH][is_name]
            yield from ((first, last) for first, last in found.tolist() if last > first)

    @functools.cached_property
    def _loaded(self) -> "tuple[PreTrainedTokenizerBase, PreTrainedModel]":
        quiet.silence()
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
        tokenizer = AutoTokenizer.from_pretrained(str(self.folder), use_fast=True, **safe)
        model = AutoModelForTokenClassification.from_pretrained(
            str(self.folder), use_safetensors=True, **safe
        )
        return tokenizer, model.eval()


@functools.lru_cache(maxsize=2)
def find_names(model: str, root: Path) -> FindNames:
    """What finds names with a model; its weights are read once, at the first text.

    Nothing is downloaded, and no code or pickle of the model is used.

    Args:
        model: A folder (absolute or relative to ``root``), else the name of a model on the hub
            that was downloaded before.
        root: What relative folders are relative to.

    Raises:
        ConfigError: There is no such model, it has no safetensors or no fast tokenizer, or none
            of its labels stands for people's names.
    """
    folder = (root / Path(model).expanduser()).resolve()
    if not folder.is_dir():
        folder = _downloaded(model)
    if not any(folder.glob("*.safetensors")) or not (folder / "tokenizer.json").is_file():
        raise ConfigError(
            f"[audit] names_model: {model} lacks model.safetensors or tokenizer.json.",
            hint="Save it with save_pretrained of the transformers library.",
        )
    return NameFinder(folder, _labels(folder, model))


def _downloaded(model: str) -> Path:
    """The folder of a model of the hub on this machine."""
    quiet.silence()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(model, local_files_only=True))
    except (OSError, HFValidationError) as error:
        raise ConfigError(
            f"[audit] names_model: {model} is neither a folder nor a model downloaded before.",
            hint="Name a folder, relative to the configuration file, or run `hf download` first.",
        ) from error


def _labels(folder: Path, model: str) -> frozenset[int]:
    try:
        known = json.loads((folder / "config.json").read_bytes())["id2label"]
        labels = {int(key) for key, name in known.items() if _NAME_LABEL.fullmatch(name)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"[audit] names_model: {model} has no config.json with id2label.",
            hint="Name a token classification model.",
        ) from error
    if not labels:
        raise ConfigError(
            f"[audit] names_model: none of the labels of {model} stands for names of people.",
            hint="Name a model with a label such as B-PER.",
        )
    return frozenset(labels)
