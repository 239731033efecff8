"""Third stage of a generator: base, champion and challenger answer the same questions."""

import json
import resource
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import TrainingError
from pipelines.training.evaluate import compared_models, folder_bytes, learned_lines
from pipelines.training.gate import BASE, CHALLENGER, CHAMPION
from pipelines.training.generator.base import base_folder, fingerprint
from pipelines.training.generator.decode import answers
from pipelines.training.generator.gate import METRIC, WORKED
from pipelines.training.generator.model import Message, Opened, open_generator
from pipelines.training.generator.nats import Item, nats
from pipelines.training.generator.scores import MEASURES, measures
from pipelines.training.generator.speed import Asked, speed
from pipelines.training.measured import write_measured
from pipelines.training.metrics import DIGITS, scores_table, summary, write_scores
from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from pipelines.training.progress import Steps
from pipelines.training.records import House
from pipelines.training.repeatable import make_repeatable
from pipelines.training.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

MODELS = (BASE, WORKED, CHAMPION, CHALLENGER)
_DECIDES = {
    "changed": "followed",
    "unanswerable": "abstained",
    "sentences": "nats",
    "chat": "nats",
}
"""Sets in which another measure than ``METRIC`` decides."""
_SET_OF = {"sentence": "sentences", "chat": "chat"}
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exam:
    """What all models are asked."""

    questions: list[Row]
    """Of ``questions.parquet``, with messages as turns."""
    general: list[Row]
    """Of ``general.parquet``."""
    worked: list[Message]
    """Questions and answers that stand before the question of the honest baseline."""
    house: House


def run_evaluation(place: Place, snapshot: Snapshot, params: GeneratorParams) -> None:
    """Write ``evaluation/``: a score for each question and model, means, and curves.

    Raises:
        ConfigError: The base cannot be found.
        TrainingError: It is not the one that the snapshot names, or a question is of a document
            that a compared model learned from.
    """
    started = time.monotonic()
    make_repeatable(params)
    base = base_folder(snapshot)
    exam = read_exam(place, snapshot.house)
    _refuse_learned(place, snapshot, exam.questions)
    adapters = _adapters(place, snapshot, base)
    asked, scored_texts = len(exam.questions), len(exam.general)
    steps = Steps("evaluate", asked * (len(adapters) + 1) + scored_texts * len(adapters))
    rows: list[Row] = []
    rates: dict[str, float] = {}
    for name, adapter in adapters.items():
        opened = open_generator(base, adapter=adapter, precision=params.precision)
        for model in (BASE, WORKED) if adapter is None else (name,):
            done = len(rows)
            scored, rates[model] = examined(
                opened,
                exam,
                model,
                params,
                lambda n, done=done: steps.done(done + n),  # type: ignore[misc]
            )
            rows += scored
    scores = scores_table(rows, scores_schema())
    shutil.rmtree(place.evaluation, ignore_errors=True)
    place.evaluation.mkdir(parents=True)
    told = summary(scores, METRIC, of_set=_DECIDES, models=MODELS)
    write_scores(place.evaluation, scores, told, _curve(told))
    figures = _speed_and_size(place, snapshot, exam) | {
        "tokens_a_second": rates,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "seconds": round(time.monotonic() - started, 1),
    }
    write_measured(place, "evaluate", figures, weights=fingerprint(place.weights))


def measure(place: Place, snapshot: Snapshot) -> dict[str, Any]:
    """Milliseconds for a new token and bytes on disk, by model.

    Raises:
        ConfigError: The base cannot be found.
        TrainingError: It is not the one that the snapshot names.
    """
    return _speed_and_size(place, snapshot, read_exam(place, snapshot.house))


def read_exam(place: Place, house: House) -> Exam:
    """What the data set asks."""
    import pyarrow.parquet as pq

    questions = pq.read_table(place.dataset / "questions.parquet").to_pylist()
    return Exam(
        [row | {"messages": json.loads(row["messages"])} for row in questions],
        pq.read_table(place.dataset / "general.parquet").to_pylist(),
        json.loads((place.dataset / "worked.json").read_text(encoding="utf-8")),
        house,
    )


def _adapters(place: Place, snapshot: Snapshot, base: Path) -> dict[str, Path | None]:
    """Of each model that is compared; None of the base."""
    return {**compared_models(place, snapshot, base), BASE: None}


def _refuse_learned(place: Place, snapshot: Snapshot, questions: Sequence[Row]) -> None:
    learned = {line.document for line in learned_lines(place, snapshot)}
    # Of kind "learned" are those that ask, on purpose, for a changed fact of what was learned.
    if any(row["kind"] == "voice" and row["document"] in learned for row in questions):
        raise TrainingError(
            f"The questions of {place.model} ask for documents that a compared model learned from; "
            "nothing was evaluated.",
            hint="Make the data set anew: dvc repro --force.",
        )


def examined(
    opened: Opened,
    exam: Exam,
    model: str,
    params: GeneratorParams,
    on_step: Callable[[int], None] = lambda _: None,
) -> tuple[list[Row], float]:
    """Ask one model everything.

    Args:
        opened: The model; of ``base`` and ``worked`` the base.
        exam: What it is asked.
        model: One of ``MODELS``.
        params: How long an answer may be, and how many are given at once.
        on_step: Told how many texts are done.

    Returns:
        Rows of ``scores.parquet``, and the new tokens a second of its answers.
    """
    before = exam.worked if model == WORKED else []
    prompts = [[*before, *row["messages"]] for row in exam.questions]
    started = time.monotonic()
    said = answers(
        opened,
        prompts,
        max_new_tokens=params.max_new_tokens,
        batch_size=params.mini_batch_size,
        on_step=on_step,
    )
    tokens = sum(len(opened.text_tokens(text)) + 1 for text in said)
    rate = round(tokens / (time.monotonic() - started), 1)
    rows = [
        _scored(row, model, measures(text, row, exam.house), said=text)
        for row, text in zip(exam.questions, said, strict=True)
    ]
    if model == WORKED:  # examples in a prompt make nobody forget anything
        return rows, rate
    # Of a sentence of one token nothing is expected: no token stands before it.
    general = [r for r in exam.general if r["prompt"] or len(opened.text_tokens(r["text"])) > 1]
    items: list[Item] = [
        ([{"role": "user", "content": row["prompt"]}] if row["prompt"] else None, row["text"])
        for row in general
    ]
    losses = nats(opened, items, on_step=lambda n: on_step(len(prompts) + n))
    for row, loss in zip(general, losses, strict=True):
        named = {"document": row["id"], "domain": "general", "set": _SET_OF[row["kind"]]}
        rows.append(_scored(row | named, model, {}, nats=loss))
    return rows, rate


def _scored(row: Row, model: str, measured: Mapping[str, float | None], **other: Any) -> Row:
    values = {name: measured.get(name) for name in MEASURES} | {"nats": other.get("nats")}
    return {
        "set": row["set"],
        "model": model,
        "kind": row["kind"],
        "question": row["id"],
        "document": row["document"],
        "domain": row["domain"],
        **{key: None if value is None else round(value, DIGITS) for key, value in values.items()},
        "said": other.get("said"),
    }


@cache
def scores_schema() -> "pa.Schema":
    """Columns of ``scores.parquet``; null where a measure says nothing about a question."""
    import pyarrow as pa

    names = ("set", "model", "kind", "question", "document", "domain")
    return pa.schema(
        [(name, pa.string()) for name in names]
        + [(name, pa.float64()) for name in (*MEASURES, "nats")]
        + [("said", pa.string())]
    )


def _curve(told: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """Each measure of each model, by set."""
    return [
        (model, f"{of_set} {measure}", value)
        for of_set, said in told.items()
        if isinstance(said, dict) and "models" in said
        for model, means in said["models"].items()
        for measure, value in means.items()
        if measure != "questions"
    ]


def _speed_and_size(place: Place, snapshot: Snapshot, exam: Exam) -> dict[str, Any]:
    base = base_folder(snapshot)
    adapters = _adapters(place, snapshot, base)
    held_out = [row["messages"] for row in exam.questions if row["set"] == "held_out"]
    asked: dict[str, Asked] = {name: (adapter, held_out) for name, adapter in adapters.items()}
    asked[WORKED] = (None, [[*exam.worked, *prompt] for prompt in held_out])
    sizes = {name: folder_bytes(folder or base) for name, folder in adapters.items()}
    return {
        "latency_ms": {name: speed(base, *one) for name, one in asked.items()},
        "size_bytes": sizes | {WORKED: sizes[BASE]},
    }
