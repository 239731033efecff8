"""What a sentence-transformers folder says about itself, read without loading it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import ConfigError

_MODULES = {"Transformer", "Pooling", "Dense", "LayerNorm", "Dropout", "Normalize"}
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_POOLING_MODES = {
    "pooling_mode_cls_token",
    "pooling_mode_max_tokens",
    "pooling_mode_mean_tokens",
    "pooling_mode_mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens",
    "pooling_mode_lasttoken",
}
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")


@dataclass(frozen=True, slots=True)
class Module:
    """One step from text to vector."""

    kind: str
    """The class of sentence-transformers, e.g. ``Pooling``."""
    config: dict[str, Any]
    weights: tuple[Path, ...]
    """Its safetensors files."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A model as its configuration files describe it."""

    modules: tuple[Module, ...]
    """In the order in which a text goes through them; the first is the transformer."""
    tokenizer: Path
    tokenizer_config: dict[str, Any]
    lower_case: bool
    """Whether text is lowered before the tokenizer's own rules."""
    max_tokens: int
    """The longest text it takes, prompt and special tokens counted."""
    dimension: int
    truncate_dim: int | None
    """Only the first so many numbers of a vector are used."""
    document_prompt: str
    """Put before every passage; empty where the model has none."""
    query_prompt: str


def read_layout(folder: Path) -> Layout:
    """Read and check the configuration of a model; no weights are read.

    Raises:
        ConfigError: It is not a model that can be used, or not safely: no safetensors, code or
            pickled weights of its own, an adapter without its base.
    """
    modules = _read_modules(folder)
    base = folder / _listed(folder)[0]["path"]
    if not (base / "tokenizer.json").is_file():
        raise _refusal(folder, "has no tokenizer.json")
    options = _transformer_options(base)
    tokenizer_config = _read_json(base / "tokenizer_config.json")
    general = _read_json(folder / "config_sentence_transformers.json")
    prompts = general.get("prompts") or {}
    width = _width(folder, modules)
    cut = general.get("truncate_dim")
    return Layout(
        modules=modules,
        tokenizer=base / "tokenizer.json",
        tokenizer_config=tokenizer_config,
        lower_case=bool(options.get("do_lower_case")),
        max_tokens=_max_tokens(folder, options, tokenizer_config, modules[0].config),
        dimension=min(width, cut or width),
        truncate_dim=cut,
        document_prompt=next((prompts[p] for p in _DOCUMENT_PROMPTS if prompts.get(p)), ""),
        query_prompt=prompts.get("query") or "",
    )


def _listed(folder: Path) -> list[dict[str, Any]]:
    """The entries of modules.json, in the order in which a text goes through them."""
    try:
        listed = json.loads((folder / "modules.json").read_bytes())
    except FileNotFoundError as error:
        raise _refusal(folder, "is no sentence-transformers model: no modules.json") from error
    except ValueError as error:
        raise _refusal(folder, "has a modules.json that is not JSON") from error
    if not isinstance(listed, list) or not all(
        isinstance(entry, dict) and {"type", "path"} <= entry.keys() for entry in listed
    ):
        raise _refusal(folder, "has a modules.json that lists no modules")
    return listed


def _read_modules(folder: Path) -> tuple[Module, ...]:
    modules = tuple(_read_module(folder, entry) for entry in _listed(folder))
    if not modules or modules[0].kind != "Transformer":
        raise _refusal(folder, "does not start with a Transformer")
    if not modules[0].weights:
        raise _refusal(folder, "has no safetensors file")
    return modules


def _read_module(folder: Path, entry: dict[str, Any]) -> Module:
    package, _, kind = str(entry["type"]).rpartition(".")
    # Anything else would be code that comes with the model, or a kind whose length or
    # dimension is not to be had from its configuration.
    if package.partition(".")[0] != "sentence_transformers" or kind not in _MODULES:
        raise _refusal(folder, f"has a module of type {entry['type']}, which is not supported")
    own = (folder / entry["path"]).resolve()
    if not own.is_relative_to(folder.resolve()):
        raise _refusal(folder, "has a module outside itself")
    if (own / "adapter_config.json").exists():
        raise _refusal(folder, "is an adapter without its base; merge the two first")
    weights = tuple(sorted(own.glob("*.safetensors")))
    if not weights and any(next(own.glob(pattern), None) for pattern in _PICKLES):
        raise _refusal(folder, "has pickled weights only, which can run code; save as safetensors")
    config = _read_json(own / "config.json")
    if kind == "Transformer":
        config |= {f"sentence_{key}": value for key, value in _transformer_options(own).items()}
    return Module(kind, config, weights)


def _transformer_options(base: Path) -> dict[str, Any]:
    """What sentence-transformers adds to the configuration of the transformer itself."""
    found = sorted(base.glob("sentence_*_config.json"))
    return _read_json(found[0]) if found else {}


def _max_tokens(
    folder: Path, options: dict[str, Any], tokenizer: dict[str, Any], transformer: dict[str, Any]
) -> int:
    asked = options.get("max_seq_length") or tokenizer.get("model_max_length")
    limits = [asked, transformer.get("max_position_embeddings")]
    # A tokenizer that knows no limit says 1e30, a transformer without one says -1.
    known = [int(limit) for limit in limits if limit and 0 < limit < 1e9]
    if not known:
        raise _refusal(folder, "does not say how many tokens it takes")
    return min(known)


def _width(folder: Path, modules: tuple[Module, ...]) -> int:
    """How long a vector is after the last module."""
    width = modules[0].config.get("hidden_size", 0)
    for module in modules[1:]:
        if module.kind == "Pooling":
            width = _pooled(module.config, width)
        elif module.kind == "Dense":
            width = module.config["out_features"]
    if not width:
        raise _refusal(folder, "does not say how long its vectors are")
    return int(width)


def _pooled(config: dict[str, Any], width: int) -> int:
    """Several ways of pooling are laid side by side."""
    width = config.get("embedding_dimension") or config.get("word_embedding_dimension") or width
    modes = config.get("pooling_mode")
    if modes is None:
        return width * max(1, sum(bool(config.get(mode)) for mode in _POOLING_MODES))
    return width if isinstance(modes, str) else width * len(modes)


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object; a file that is not there says nothing."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_bytes()))
    except ValueError as error:
        raise ConfigError(
            f"[embedder] model: {path.name} in its folder is not a JSON object.",
            hint="Save the model again.",
        ) from error


def _refusal(folder: Path, what: str) -> ConfigError:
    return ConfigError(
        f"[embedder] model: the folder {folder} {what}.",
        hint="Name a sentence-transformers model with safetensors weights.",
    )
