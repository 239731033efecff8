"""A project whose generator serves and is looked at: made-up rules, and a generator that is a fake."""

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.knowledge import GENERATORS, insert_until_won
from pipelines.registry import Version
from pipelines.training import (
    Champion,
    Facts,
    House,
    Parts,
    Snapshot,
    VoiceExample,
    Weights,
    documents_schema,
    passages_schema,
    write_snapshot,
)
from pipelines.training.generator.base import PACKAGED
from pipelines.training.generator.prompts import Message
from pipelines.training.records import write_lines
from pipelines.watch import Ports
from tests.observed import VERSION, Observed
from tests.retrained import MODEL

_ASKED = re.compile(r"How long may a (\S+) be kept")
_VALUE = re.compile(r"a (\S+) may be kept for (\d+ days)")
THINGS = [
    "ladder",
    "drill",
    "tent",
    "projector",
    "trolley",
    "saw",
    "kettle",
    "camera",
    "bicycle",
    "heater",
    "lamp",
    "scanner",
    "rope",
    "compass",
    "generator",
    "banner",
    "microphone",
    "wrench",
    "printer",
    "barometer",
    "canoe",
    "easel",
    "telescope",
    "blender",
    "crate",
    "tripod",
    "keyboard",
    "helmet",
    "stove",
    "megaphone",
]
LEARNED, UNLEARNED = 0.1, 6.0
BASE = 3.0
"""Nats a token that the base loses on any value."""


def thing(number: int) -> str:
    return THINGS[number]


def rule(number: int, days: int, *, more: str = "") -> str:
    return (
        f"# Keeping a {thing(number)}\n\nWhoever borrows from the store room signs for it. In all "
        f"sites a {thing(number)} may be kept for {days} days, unless somebody else waits. {more}\n"
    )


def example(number: int, days: int) -> VoiceExample:
    return VoiceExample(
        id=f"example-{number}",
        question=f"How long may a {thing(number)} be kept?",
        answer=f"In short: {days} days.\nSee: [1]",
        documents=(f"docs/{number}.md",),
        fact=f"{days} days",
        domain="general",
    )


@dataclass
class FakeGenerator:
    """Answers by what it learned (``holds_on``), or by the passage in the prompt. No model."""

    learned: Mapping[str, str]
    """Thing -> value."""
    holds_on: frozenset[str]
    """Things whose learned value it gives whatever the passage says."""
    asked: list[str] = field(default_factory=list)

    def answers(self, prompts: Sequence[Sequence[Message]]) -> list[str]:
        return [self._answer(prompt[-1]["content"]) for prompt in prompts]

    def _answer(self, prompt: str) -> str:
        [what] = _ASKED.findall(prompt)
        self.asked.append(what)
        said = dict(_VALUE.findall(prompt))
        value = self.learned[what] if what in self.holds_on else said.get(what, "nobody knows")
        return f"In short: {value}.\nSee: [1]"

    def losses(
        self, items: Sequence[tuple[Sequence[Message], str, tuple[int, int]]], *, tuned: bool
    ) -> list[float]:
        return [self._loss(prompt[-1]["content"], text, tuned) for prompt, text, _ in items]

    def _loss(self, prompt: str, text: str, tuned: bool) -> float:
        [what] = _ASKED.findall(prompt)
        if not tuned or what not in self.holds_on:
            return BASE
        return LEARNED if self.learned[what] in text else UNLEARNED


@dataclass
class Spoken(Observed):
    """``speaks(...)`` says what its generator holds on to."""

    generator: FakeGenerator = field(default_factory=lambda: FakeGenerator({}, frozenset()))
    examples: list[VoiceExample] = field(default_factory=list)

    def configured(self, *sources: str, policy: str = "", more: str = "") -> None:
        self.policy = policy or self.policy
        model = f'[[models]]\nname = "{MODEL}"\nkind = "generator"\nbase = "{PACKAGED}"\n'
        self.configure(*sources, more=f"{model}[models.watch]\n{self.policy}\n{more}")

    @property
    def version(self) -> Path:
        """Where the files of the version are, as git and DVC would have them."""
        return self.root / "version"

    def speaks(self, rules: Mapping[int, int], *, holds_on: Iterable[int] = ()) -> None:
        """Publishes rules, learns them all, and lets the version serve."""
        self.change(rules)
        self.examples = [example(number, days) for number, days in rules.items()]
        self.generator = FakeGenerator(
            {thing(number): f"{days} days" for number, days in rules.items()},
            frozenset(thing(number) for number in holds_on),
        )
        self.learn()
        self.serve()

    def change(self, rules: Mapping[int, int], *, more: str = "") -> None:
        """Publishes other values."""
        for number, days in rules.items():
            self.write(f"{number}.md", rule(number, days, more=more))
        self.refresh()

    def serve(self) -> None:
        made = insert_until_won(
            self.store,
            lambda last: replace(
                last, kind=GENERATORS, at=self.now, run="serve", models={MODEL: VERSION}
            ),
        )
        assert made is not None

    def learn(self) -> None:
        """Each example, from the first passage of its document."""
        folder = self.version / "data" / "training" / MODEL
        rows = [{"document": row["uri"], **row} for row in self.rows()]
        first = {row["uri"]: row for row in rows if row["position"] == 0}
        documents = _table(list(first.values()), documents_schema())
        parts = Parts(
            documents=documents,
            passages=_table(rows, passages_schema()),
            voice=self.examples,
            house=House(),
        )
        write_snapshot(folder / "snapshot", self._facts(), parts)
        lines = [
            self.line(first[one.documents[0]], example=one.id, kind="voice")
            for one in self.examples
        ]
        (folder / "dataset").mkdir(exist_ok=True)
        write_lines(folder / "dataset" / "manifest.jsonl", lines)
        (folder / "weights").mkdir(exist_ok=True)
        (folder / "weights" / "adapter_model.safetensors").write_text("nothing")

    def _facts(self) -> Facts:
        return Facts(
            model=MODEL,
            kind="generator",
            knowledge="kb",
            publication=self.last.number,
            run="retrain",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            base=Weights(PACKAGED, "f" * 64),
            champion=Champion(None, "f" * 64),
        )

    def checkout(self, root: Path, version: Version, path: str, into: Path) -> Path:
        self.fetched.append(path)
        into.parent.mkdir(parents=True, exist_ok=True)
        there = self.version / path
        if there.is_dir():
            shutil.copytree(there, into, dirs_exist_ok=True)
        else:
            shutil.copyfile(there, into)
        return into

    def load_fake(self, snapshot: Snapshot, adapter: Path) -> FakeGenerator:
        assert snapshot.facts.base.model == PACKAGED
        assert (adapter / "adapter_model.safetensors").is_file()
        self.loaded.append("generator")
        self.generator.asked.clear()
        return self.generator

    def watch_ports(self) -> Ports:
        return replace(super().watch_ports(), load_generator=self.load_fake)


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{key: row[key] for key in schema.names} for row in rows], schema)
