"""What a generator answered in its evaluation, beside what served: only what a reader may see today.

The texts are fetched for this one look and kept nowhere; they are for a terminal, never for a page
or a log that others see.
"""

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.config import Config
from pipelines.errors import RegistryError, UnknownName
from pipelines.knowledge import find_store, newest, published_documents, uris_of_texts
from pipelines.models.stored import FOLDER
from pipelines.records import may_see
from pipelines.registry import Version, checkout_path
from pipelines.training.generator.gate import WORKED
from pipelines.training.records import digest
from pipelines.training.texts import embedded

SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One held-out question, and what each model answered to the very same prompt."""

    question: str
    uri: str
    domain: str
    wanted: str
    """As the house answers it."""
    answers: Mapping[str, str]
    """By model of the evaluation: base, worked, champion, challenger."""


@dataclass(frozen=True, slots=True)
class Samples:
    """A few answers, and why there are no more."""

    shown: tuple[Sample, ...] = ()
    hidden: int = 0
    """Questions whose prompts hold what this reader may not see today."""
    why: str = ""
    """Why none could be read."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"shown": [asdict(one) for one in self.shown]}


def samples(config: Config, version: Version, labels: Collection[str]) -> Samples:
    """A few questions by hash, the same ones each time, and their answers.

    A prompt is shown with its answers only where every passage in it stands, as it was, in a
    document that is published, not withheld, and may be read by someone who holds the labels. So it
    is with the worked examples, which an answer may repeat.

    Args:
        config: The configuration.
        version: Of a generator.
        labels: What the reader holds besides ``public``.
    """
    home = FOLDER.format(model=version.model)
    try:
        with tempfile.TemporaryDirectory(prefix="staleproof-") as scratch:

            def fetched(path: str, name: str) -> Path:
                return checkout_path(config.root, version, f"{home}/{path}", Path(scratch) / name)

            asked = _rows(fetched("dataset/questions.parquet", "questions.parquet"))
            said = _said(fetched("evaluation/scores.parquet", "scores.parquet"))
            worked = json.loads(fetched("dataset/worked.json", "worked.json").read_text("utf-8"))
            passages = _passages(fetched("snapshot/passages", "passages"))
    except (RegistryError, UnknownName) as error:
        return Samples(why=f"Its answers cannot be read now: {error.message}")
    held_out = [row for row in asked if row["set"] == "held_out" and row["id"] in said]
    held_out.sort(key=lambda row: digest("sample", row["id"]))
    prompts = [worked, *(json.loads(row["messages"]) for row in held_out)]
    texts = [_texts(prompt, passages) for prompt in prompts]
    visible, readable = _visible(config, labels, frozenset[str]().union(*texts))
    open_to = [
        row
        for row, held in zip(held_out, texts[1:], strict=True)
        if row["uri"] in visible and held and held <= readable
    ]
    # An answer may repeat the examples before its question.
    hidden = frozenset[str]() if texts[0] <= readable else frozenset((WORKED,))
    return Samples(
        tuple(_sample(row, said[row["id"]], hidden) for row in open_to[:SAMPLES]),
        hidden=len(held_out) - len(open_to),
    )


def _sample(row: Mapping[str, Any], said: Mapping[str, str], hidden: Collection[str]) -> Sample:
    answers = {model: text for model, text in said.items() if model not in hidden}
    return Sample(row["text"], row["uri"], row["domain"], row["answer"], answers)


def _visible(
    config: Config, labels: Collection[str], texts: Collection[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """The documents that a reader may see today, and those of some passages that stand in them."""
    store = find_store(config.store_uri)
    last = newest(store) if store else None
    if store is None or last is None:
        return frozenset(), frozenset()
    documents = published_documents(store, last.state)
    visible = frozenset(
        uri
        for uri, one in documents.items()
        if uri not in last.withheld and may_see(labels, one.policy.labels)
    )
    # By text: another document, or another version of it, may have the uri by now.
    holders = uris_of_texts(store, last.state, texts)
    return visible, frozenset(text for text, uris in holders.items() if uris & visible)


def _texts(prompt: Sequence[Mapping[str, str]], passages: Mapping[str, str]) -> frozenset[str]:
    """Hashes of the passages that a prompt holds."""
    said = "\n".join(turn["content"] for turn in prompt)
    return frozenset(name for name, text in passages.items() if text in said)


def _said(file: Path) -> dict[str, dict[str, str]]:
    """What was answered to held-out questions: question -> model -> answer."""
    found: dict[str, dict[str, str]] = {}
    for row in _rows(file):
        if row["set"] == "held_out" and row["said"] is not None:
            found.setdefault(row["question"], {})[row["model"]] = row["said"]
    return found


def _rows(file: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return list(pq.read_table(file).to_pylist())


def _passages(folder: Path) -> dict[str, str]:
    """Hash of each passage of a snapshot -> its text as prompts hold it."""
    import pyarrow.parquet as pq

    rows = pq.read_table(folder, columns=["text_hash", "prefix", "text"]).to_pylist()
    return {row["text_hash"]: embedded(row["prefix"], row["text"]).strip() for row in rows}
