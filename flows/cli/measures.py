"""Numbers of versions as the command line shows them: of embedders MRR, of generators their answers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from flows.cli.render import table_of
from flows.cli.words import counted

MEASURES = {
    "reciprocal_rank": "MRR@10",
    "recall_5": "recall@5",
    "recall_10": "recall@10",
    "ndcg_10": "nDCG@10",
    "answer": "score",
    "format": "form",
    "exact": "fact",
    "cited": "citation",
}
"""On held-out questions; a version has those of its kind."""
OTHERS = {
    "general": ("reciprocal_rank", "other subjects"),
    "changed": ("followed", "follows"),
    "unanswerable": ("abstained", "abstains"),
    "sentences": ("nats", "nats, sentences"),
    "chat": ("nats", "nats, chat"),
}
"""One measure of each other set."""
SCORES = ("reciprocal_rank", "answer")
SERVED = {"champion": "champion", "worked": "base with worked examples", "base": "base"}


def challenger(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    """The means of a version on the held-out questions."""
    return means(metrics, "held_out", "challenger")


def means(metrics: Mapping[str, Any], of_set: str, model: str) -> Mapping[str, Any]:
    """The means of a model on a set; empty where it was not asked."""
    found: Mapping[str, Any] = metrics.get(of_set, {}).get("models", {}).get(model, {})
    return found


def score(metrics: Mapping[str, Any]) -> float | None:
    """What decides about a version: MRR@10, or the score of answers."""
    found = challenger(metrics)
    return next((found[key] for key in SCORES if found.get(key) is not None), None)


def gain(metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What it gained over what served when it was trained: mean and interval."""
    held_out = metrics.get("held_out", {})
    return next((held_out[f"over_{one}"] for one in SERVED if f"over_{one}" in held_out), None)


def measures_of(versions: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """Rows of a table: a measure and its means in each of some versions' metrics."""
    for key, words in MEASURES.items():
        found = [challenger(metrics).get(key) for metrics in versions]
        if any(value is not None for value in found):
            yield [words, *map(number, found)]
    for name, (key, words) in OTHERS.items():
        found = [means(metrics, name, "challenger").get(key) for metrics in versions]
        if any(value is not None for value in found):
            yield [words, *map(number, found)]


def number(value: float | None) -> str:
    """Three digits."""
    return "-" if value is None else f"{value:.3f}"


def signed(interval: Mapping[str, Any] | None) -> str:
    """A difference and the ends of its interval."""
    if interval is None:
        return "-"
    return f"{interval['mean']:+.3f} [{interval['lower']:+.3f}, {interval['upper']:+.3f}]"


def show_measures(console: Console, metrics: Mapping[str, Any]) -> None:
    """A line a model, and the differences below."""
    held_out = metrics.get("held_out", {})
    models = held_out.get("models", {})
    if not models:
        return
    keys = [key for key in MEASURES if any(key in found for found in models.values())]
    others = {name: said for name, said in OTHERS.items() if name in metrics}
    columns = [*(MEASURES[key] for key in keys), *(words for _, words in others.values())]
    table = table_of("", *columns, right=tuple(columns))
    for model, found in models.items():
        table.add_row(
            model,
            *(number(found.get(key)) for key in keys),
            *(number(means(metrics, name, model).get(key)) for name, (key, _) in others.items()),
        )
    console.print(table)
    metric = MEASURES.get(str(metrics.get("metric", "reciprocal_rank")), "")
    for other, words in SERVED.items():
        if found := held_out.get(f"over_{other}"):
            asked = (
                counted(found["questions"], "question"),
                counted(found["documents"], "document"),
            )
            console.print(
                f"over the {words}: {signed(found)} {metric} ({', '.join(asked)})", soft_wrap=True
            )
