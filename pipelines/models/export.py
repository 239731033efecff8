"""Writes the weights of a version into a folder of the user's, for other programs to serve."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.models.stored import FOLDER, card_of, known_version, params_of, verdict_of
from pipelines.registry import Version, checkout_model, checkout_path
from pipelines.training import Snapshot, read_snapshot
from pipelines.training.generator.base import PACKAGED, base_folder

OF_BASE = (
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
    "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json",
)  # fmt: skip
"""What a server needs beside weights: how texts become tokens, and chats texts."""


def export_model(
    config: Config, name: str, version: str | None, *, to: Path, merged: bool = False
) -> dict[str, Any]:
    """Writes a version: an embedder's folder, a generator's adapter, or base and adapter in one.

    The folder is there whole or not at all. It holds safetensors, the tokenizer, and the model card
    as ``README.md``; nothing in it names this machine.

    Args:
        config: The configuration.
        name: Of the model.
        version: Of it; the newest by default.
        to: The folder to make.
        merged: Of a generator: one model that needs no adapter.

    Returns:
        What was written, under which name it is to be served, and how: for JSON.

    Raises:
        UnknownName: There is no such version.
        ConfigError: The folder is there already, or an embedder is to be merged.
        RegistryError: The weights cannot be had.
        TrainingError: The base is not the one that the version was trained on.
    """
    found = known_version(config, name, version)
    said = verdict_of(config.root, found)
    is_generator = said.get("kind") == "generator"
    if merged and not is_generator:
        raise ConfigError(
            f"{name} is no generator: it has no adapter to be merged.",
            hint=f"staleproof models export {name} {found.version} --to {to}",
        )
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ConfigError(f"{to} is there already.", hint="Name a folder that is not there yet.")
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}-") as scratch:
        made = Path(scratch) / "made"
        how: dict[str, str] = {}
        if is_generator:
            how = _generator(config, found, made, Path(scratch), to, merged=merged)
        else:
            shutil.copytree(checkout_model(config.root, found, Path(scratch) / "weights"), made)
        _add_card(config, found, made, how)
        if to.exists():
            to.rmdir()
        made.rename(to)
    files = sorted(file for file in to.rglob("*") if file.is_file())
    return {
        "model": name,
        "version": found.version,
        "kind": said.get("kind"),
        "gate": None if "promote" not in said else "promote" if said["promote"] else "refused",
        "merged": merged,
        "folder": str(to),
        "files": [str(file.relative_to(to)) for file in files],
        "bytes": sum(file.stat().st_size for file in files),
        "served_as": served_name(found),
        "how": how,
    }


def served_name(version: Version) -> str:
    """The name of a version at a server: a server keeps what it computed under a name."""
    return f"{version.model}@{version.version}"


def _generator(
    config: Config, version: Version, made: Path, scratch: Path, to: Path, *, merged: bool
) -> dict[str, str]:
    adapter = checkout_model(config.root, version, scratch / "weights")
    with _snapshot(config, version, scratch) as snapshot:
        base = base_folder(snapshot)
        if merged:
            _merge(base, adapter, made)
        else:
            shutil.copytree(adapter, made)
        for file in OF_BASE:
            if (base / file).is_file():
                shutil.copyfile(base / file, made / file)
        name = snapshot.facts.base.model
    served, rank = served_name(version), params_of(config.root, version).get("rank", 16)
    if merged:
        return {
            "transformers": f'AutoModelForCausalLM.from_pretrained("{to.name}")',
            "vllm": f"vllm serve {to.name} --served-model-name {served}",
        }
    name = "BASE" if name == PACKAGED or Path(name).is_absolute() else name
    return {
        "peft": f'PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("{name}"),'
        f' "{to.name}")',
        "vllm": f"vllm serve {name} --enable-lora --max-lora-rank {rank}"
        f" --lora-modules {served}={to.name}",
    }


@contextmanager
def _snapshot(config: Config, version: Version, scratch: Path) -> Iterator[Snapshot]:
    """What names the base, and holds it where it comes with no package; gone when it is left."""
    folder = scratch / "snapshot"
    path = f"{FOLDER.format(model=version.model)}/snapshot"
    checkout_path(config.root, version, path, folder)
    try:
        yield read_snapshot(folder, verify=False)  # each file was checked against its hash
    finally:
        shutil.rmtree(folder)


def _merge(base: Path, adapter: Path, into: Path) -> None:
    """Adds the adapter to the weights in float32, and keeps them as the base has them."""
    import json

    import torch

    from pipelines.training.generator.model import open_generator

    opened = open_generator(base, adapter=adapter, precision="float32")
    whole = opened.model.merge_and_unload()
    said = json.loads((base / "config.json").read_text(encoding="utf-8"))
    kind = said.get("dtype") or said.get("torch_dtype") or "float32"
    whole.to(dtype=getattr(torch, kind), device="cpu").save_pretrained(into)


def _add_card(config: Config, version: Version, made: Path, how: dict[str, str]) -> None:
    card = card_of(config.root, version).replace("VERSION", version.version)
    lines = [f"- {program}: `{line}`" for program, line in how.items()]
    served = ["", "## To serve it", "", *lines, ""] if lines else []
    (made / "README.md").write_text(card + "\n".join(served), encoding="utf-8")
