"""First stage of a generator: what it learns to answer, and what it is asked."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import TrainingError
from pipelines.training.dataset import LEAST_DOCUMENTS, LEAST_QUESTIONS, counted, write_counts
from pipelines.training.generator.asked import Askers, Question
from pipelines.training.generator.base import base_folder
from pipelines.training.generator.decode import answers
from pipelines.training.generator.evidence import Library
from pipelines.training.generator.learned import Example, Makers, worked_examples
from pipelines.training.generator.model import open_generator
from pipelines.training.generator.prompts import Message, messages
from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from pipelines.training.progress import Steps
from pipelines.training.records import BESIDE, digest, write_lines
from pipelines.training.repeatable import make_repeatable
from pipelines.training.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

PASSAGES = 2
"""In the prompts that ask a model that learned without any: as it would be used."""
LEAST_EXAMPLES = 16


@dataclass(frozen=True, slots=True)
class Base:
    """What the first stage asks of the model that is fine-tuned."""

    tokens: Callable[[Sequence[Message], str], int]
    """Of a prompt and its answer together."""
    say: Callable[[Sequence[Sequence[Message]]], list[str]]
    """Its answers to prompts."""


def make_dataset(place: Place, snapshot: Snapshot, params: GeneratorParams) -> None:
    """Write ``dataset/``: examples, questions, general answers of the base, manifest and counts.

    Raises:
        ConfigError: The base cannot be found.
        TrainingError: It is not the one that the snapshot names, or there is too little to learn
            from or to evaluate with.
    """
    make_repeatable(params)
    opened = open_generator(base_folder(snapshot), precision=params.precision)

    def tokens(prompt: Sequence[Message], answer: str) -> int:
        return len(opened.prompt_tokens(prompt)) + len(opened.text_tokens(answer)) + 1

    def say(prompts: Sequence[Sequence[Message]]) -> list[str]:
        steps = Steps("dataset", len(prompts))
        steps.done(0)
        return answers(opened, prompts, max_new_tokens=params.max_new_tokens, on_step=steps.done)

    write_dataset(place, snapshot, params, Base(tokens, say))


def write_dataset(place: Place, snapshot: Snapshot, params: GeneratorParams, base: Base) -> None:
    """The same with a base that is open.

    Raises:
        TrainingError: There is too little to learn from or to evaluate with.
    """
    if params.abstentions + params.replay >= 1:
        raise TrainingError(
            f"params.yaml, models.{place.model}: abstentions and replay leave no room for answers.",
            hint="Both are shares of all examples; together they are less than 1.",
        )
    left_out: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    library = Library(snapshot, params.held_out)
    asking = params if params.passages else params.model_copy(update={"passages": PASSAGES})

    def fits(prompt: Sequence[Message], answer: str) -> bool:
        return base.tokens(prompt, answer) <= params.max_tokens

    makers = Makers(library, params, fits, left_out)
    askers = Askers(library, asking, fits, dropped)
    voice = makers.voice()
    questions = askers.questions(askers.held_out(voice), voice, snapshot.house.abstention)
    _refuse_too_few(snapshot, voice, questions)
    abstentions = makers.abstentions(voice, snapshot.house.abstention)
    general, kept = _general(snapshot, params, base)
    examples = [*voice, *abstentions, *makers.replay(len(voice), kept)]
    examples.sort(key=lambda one: one.example)
    shutil.rmtree(place.dataset, ignore_errors=True)
    place.dataset.mkdir(parents=True)
    _write_tables(place.dataset, examples, questions, general)
    write_lines(place.dataset / "manifest.jsonl", [line for one in examples for line in one.lines])
    shown = voice if params.passages else Makers(library, asking, fits, Counter()).voice()
    worked = worked_examples(shown, params.worked_examples, next(iter(abstentions), None))
    _write_json(place.dataset / "worked.json", worked)
    counts = _counts(examples, questions) | {
        "left_out": counted(left_out),
        "dropped": counted(dropped),
        "without_evidence": sum(not one.documents for one in snapshot.voice),
    }
    write_counts(place, counts)


def _general(
    snapshot: Snapshot, params: GeneratorParams, base: Base
) -> tuple[list[dict[str, str]], list[tuple[str, str]]]:
    """What measures forgetting, and what is learned again: no prompt is in both."""
    texts = {(text.kind, text.text) for text in snapshot.general_texts}
    prompts = sorted((text for kind, text in texts if kind == "chat"), key=_by_hash)
    half, most = len(prompts) // 2, params.general_prompts
    measured = prompts[half:][:most]
    learned = prompts[:half][:most] if params.replay else []
    said = base.say([messages(prompt, ()) for prompt in (*measured, *learned)])
    # An empty answer teaches to say nothing, and has no tokens to be measured on.
    pairs = [(prompt, answer) for prompt, answer in zip((*measured, *learned), said, strict=True)]
    sentences = sorted((text for kind, text in texts if kind == "sentence"), key=_by_hash)
    rows = [_row("sentence", "", text) for text in sentences[: params.max_questions]]
    rows += [_row("chat", prompt, answer) for prompt, answer in pairs[: len(measured)] if answer]
    rows.sort(key=lambda row: (row["kind"], row["id"]))
    return rows, [pair for pair in pairs[len(measured) :] if pair[1]]


def _row(kind: str, prompt: str, text: str) -> dict[str, str]:
    return {"kind": kind, "id": digest(kind, prompt or text), "prompt": prompt, "text": text}


def _by_hash(text: str) -> str:
    return digest("general", text)


def _refuse_too_few(
    snapshot: Snapshot, voice: Sequence[Example], questions: Sequence[Question]
) -> None:
    asked = [question for question in questions if question.set == "held_out"]
    documents = len({question.document for question in asked})
    if len(voice) < LEAST_EXAMPLES:
        what = f"{len(voice)} to learn from, at least {LEAST_EXAMPLES} are needed"
    elif len(asked) < LEAST_QUESTIONS or documents < LEAST_DOCUMENTS:
        what = (
            f"{len(asked)} of {documents} held-out documents to evaluate with, at least "
            f"{LEAST_QUESTIONS} of {LEAST_DOCUMENTS} are needed"
        )
    else:
        return
    raise TrainingError(
        f"{snapshot.facts.model} cannot be trained: there are {len(snapshot.voice)} answers of the "
        f"house, which give {what}.",
        hint="Write more answers, of more documents; those of whole documents are held out.",
    )


def _counts(examples: Sequence[Example], questions: Sequence[Question]) -> dict[str, Any]:
    asked = {question.document for question in questions if question.set == "held_out"}
    return {
        "pairs": dict(sorted(Counter(one.kind for one in examples).items())),
        "questions": dict(sorted(Counter(question.set for question in questions).items())),
        "golden": 0,
        "documents": {
            "learned": len(
                {line.document for one in examples for line in one.lines if line.kind != BESIDE}
            ),
            "held_out": len(asked),
        },
    }


def _write_tables(
    folder: Path,
    examples: Iterable[Example],
    questions: Iterable[Question],
    general: Sequence[Mapping[str, str]],
) -> None:
    import pyarrow as pa

    text = pa.string()
    rows = [
        {
            "example": one.example,
            "kind": one.kind,
            "document": one.document,
            "messages": _json(one.messages),
            "answer": one.answer,
        }
        for one in examples
    ]
    columns = dict.fromkeys(("example", "kind", "document", "messages", "answer"), text)
    _write(folder / "examples.parquet", rows, pa.schema(columns))
    asked = [asdict(one) | {"messages": _json(one.messages)} for one in questions]
    columns = dict.fromkeys(Question.__dataclass_fields__, text)
    columns |= {"labels": pa.list_(text), "cited": pa.list_(pa.int32())}
    _write(folder / "questions.parquet", asked, pa.schema(columns))
    columns = dict.fromkeys(("kind", "id", "prompt", "text"), text)
    _write(folder / "general.parquet", general, pa.schema(columns))


def _write(path: Path, rows: Sequence[Mapping[str, Any]], schema: "pa.Schema") -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, compression="zstd")


def _json(turns: Sequence[Message]) -> str:
    return json.dumps(turns, ensure_ascii=False)


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
