"""A project whose embedder was fine-tuned: versions in a registry of its own, and their encoders."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines import fill, promote
from pipelines.config import load_config
from pipelines.errors import UnknownName
from pipelines.fill.answers import answer
from pipelines.knowledge import Publication, Signed, newest, publications
from pipelines.promote import Demoted, Promoted, demote_model, promote_model
from pipelines.records import Encoder
from pipelines.refresh import Ports
from pipelines.registry import Version
from pipelines.verify import verify_knowledge
from tests.expectations import write_few
from tests.fakes import HashEncoder
from tests.project import Project, source

MODEL = "tuned"
GOOD = {"promote": True, "reasons": ["it gains 0.05"]}
BAD = {"promote": False, "reasons": ["it loses in finance", "it forgets"]}


def version(name: str) -> Version:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Version(model=MODEL, version=name, commit=f"c-{name}", base="b", created_at=at)


def tuned(name: str, **more: Any) -> HashEncoder:
    """The encoder of a version: another fingerprint, other vectors."""
    model = f"data/models/{MODEL}/{name}"
    return HashEncoder(fingerprint=name[1:].replace(".", "") * 8, model=model, salt=name, **more)


@dataclass
class Registered:
    """A registry without git: verdicts by version, and who is in the stage."""

    verdicts: dict[str, dict[str, Any] | str | None]
    model: str = MODEL
    stage: Version | None = None
    checked_out: list[Path] = field(default_factory=list)

    def find_version(self, root: Path, model: str, name: str) -> Version:
        if model != self.model or name not in self.verdicts:
            raise UnknownName(f"no version {name}")
        return replace(version(name), model=model)

    def read_text(self, root: Path, found: Version, path: str) -> str:
        assert path == f"data/training/{self.model}/verdict.json"
        said = self.verdicts[found.version]
        if said is None:
            raise UnknownName(f"no file {path}")
        return said if isinstance(said, str) else json.dumps(said)

    def checkout_model(self, root: Path, found: Version, into: Path) -> Path:
        into.mkdir(parents=True, exist_ok=True)
        self.checked_out.append(into)
        return into

    def assign_champion(self, root: Path, found: Version) -> bool:
        self.stage = found
        return True

    def champion(self, root: Path, model: str) -> Version | None:
        return self.stage

    def port(self) -> promote.Registry:
        return promote.Registry(
            self.find_version,
            self.read_text,
            self.checkout_model,
            self.assign_champion,
            self.champion,
        )


@dataclass
class Retrained(Project):
    """Documents, a store by the base, and versions v0.0.1 and v0.0.2 of a model."""

    encoders: dict[str, HashEncoder] = field(default_factory=dict)
    registry: Registered = field(
        default_factory=lambda: Registered({"v0.0.1": GOOD, "v0.0.2": GOOD})
    )
    write_verb: Callable[..., Any] | None = None
    patience: float = 0.5

    def __post_init__(self) -> None:
        for name in ("v0.0.1", "v0.0.2"):
            self.encoders.setdefault(f"data/models/{MODEL}/{name}", tuned(name))

    def load(self, model: str, *, root: Path, batch_size: int = 32) -> Encoder:
        return self.encoders.get(model, self.encoder)

    def ports(self) -> Ports:
        return Ports(load_encoder=self.load)

    def answer(self, asked: fill.Asked) -> fill.Answered:
        config = load_config(asked.config, env={})
        return answer(config, asked, self.load(asked.model, root=config.root))

    def fill_ports(self) -> fill.Ports:
        made = fill.Ports(
            load_encoder=self.load, answer=self.answer, patience_seconds=self.patience
        )
        return made if self.write_verb is None else replace(made, write=self.write_verb)

    def promote(self, name: str = "v0.0.1", **asked: Any) -> Promoted:
        self.later()
        return promote_model(
            self.config,
            promote.Request(model=MODEL, version=name, actor="somebody", **asked),
            now=self.now,
            run_id=f"run-{next(self.runs)}",
            on_event=self.events.append,
            ports=promote.Ports(self.registry.port(), self.fill_ports()),
        )

    def demote(self) -> Demoted:
        return demote_model(self.config, MODEL, signed=self.signed())

    def signed(self) -> Signed:
        self.later()
        return Signed(f"run-{next(self.runs)}", "somebody", self.now)

    @property
    def last(self) -> Publication:
        found = newest(self.store)
        assert found is not None
        return found

    @property
    def kinds(self) -> list[str]:
        """Of all rows, oldest first."""
        return [row.kind for row in publications(self.store)][::-1]

    def plain(self) -> list[dict[str, Any]]:
        """What readers see, whatever made its vectors."""
        return [{k: v for k, v in row.items() if k != "vector"} for row in self.rows()]

    def problems(self) -> list[str]:
        found = verify_knowledge(
            self.config,
            now=self.now,
            run_id="verify",
            sources=True,
            load_encoder=self.load,
        )
        return [f"{p.kind} {p.uri}: {p.detail}" for p in found.problems]


def retrained(root: Path, *, documents: int = 12, knowledge: str = "", more: str = "") -> Retrained:
    """One that is published by the base."""
    made = Retrained(root)
    (root / "docs").mkdir(parents=True)
    made.configure(source(), knowledge=knowledge, more=f'[[models]]\nname = "{MODEL}"\n{more}\n')
    write_few(root / "data/expectations")
    for number in range(documents):
        made.write(f"{number}.md", text(number))
    made.refresh()
    return made


def text(number: int, said: str = "so") -> str:
    """A document of three passages of its own words."""
    parts = "\n\n".join(
        f"## Part {part}\n\nDocument {number} part {part} speaks of w{number}p{part} and says {said}."
        for part in range(3)
    )
    return f"# Number {number}\n\n{parts}\n"
