"""The model card of a version, as Markdown: names, hashes and numbers, never a document's text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.embedding.weights import BUILT_IN, BUILT_IN_SHA256
from pipelines.retrain.progress import duration

MODELS = ("base", "champion", "challenger")
MEASURES = {"recall_5": "recall@5", "recall_10": "recall@10", "ndcg_10": "nDCG@10"}
SETS = {
    "held_out": "Held-out documents",
    "golden": "Golden questions",
    "general": "Other subjects (forgetting)",
}
LICENCES = {BUILT_IN: "Apache-2.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a card is made of."""

    verdict: Mapping[str, Any]
    """As it is stored."""
    base: str
    """As the configuration spells it."""
    base_folder: Path | None
    """Its folder, where it is not the built-in one."""
    champion: str | None
    """The version that serves."""
    counts: Mapping[str, Any]
    """Of the data set, as its stage wrote them."""
    params: Mapping[str, Any]
    commit: str
    """Of the user's, that code and parameters were taken from."""


def model_card(card: Card) -> str:
    """What there is to know of a version before it is used."""
    parts = [
        f"# {card.verdict['model']}",
        _verdict(card),
        _data(card),
        _base(card),
        _numbers(card),
        _parts(card),
        _costs(card),
        _parameters(card),
        _limits(card),
        _reproduce(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict(card: Card) -> str:
    said = card.verdict["judgement"]
    word = "may be promoted" if card.verdict["promote"] else "is refused by the gate"
    against = card.champion or "the base"
    lines = [
        f"A fine-tuned {card.verdict['kind']}, which {word}.",
        "",
        f"- Gain over {against}, MRR@10 on held-out questions: {_interval(said['gain'])}",
        f"- Against the base on other subjects: {_interval(said['general'])}",
        f"- Time for a question: {said['latency_ratio']:.2f} times that of {against}",
        *(f"- Refused: {reason}" for reason in card.verdict["reasons"]),
        *(f"- Note: {note}" for note in said["notes"]),
    ]
    return "\n".join(lines)


def _data(card: Card) -> str:
    said, counts = card.verdict, card.counts
    pairs = ", ".join(f"{count:,} {kind}" for kind, count in counts["pairs"].items())
    asked = ", ".join(f"{count:,} {kind}" for kind, count in counts["questions"].items())
    lines = [
        "## Data",
        "",
        f"- Publication #{said['publication']}, read {said['at'][:16]} UTC; hash of what may be"
        f" learned `{said['made_of']['material'][:16]}`",
        f"- {said['documents']:,} documents in {said['passages']:,} passages;"
        f" {counts['documents']['learned']:,} were learned from,"
        f" {counts['documents']['held_out']:,} only asked about",
        f"- Examples: {pairs}",
        f"- Held-out questions: {asked}, and {counts['golden']:,} golden",
    ]
    for title, left in (
        ("Left out", said["left_out"]),
        ("Not made into examples", counts["left_out"]),
        ("Questions dropped", counts["dropped"]),
    ):
        lines += [f"- {title}: {_counted(left)}"] if left else []
    return "\n".join(lines)


def _base(card: Card) -> str:
    lines = [
        "## Base",
        "",
        f"- `{card.base}`, licence {licence(card.base, card.base_folder)}",
        f"- Fingerprint `{card.verdict['made_of']['base']}`",
    ]
    if card.base_folder is None:
        lines.append(f"- SHA-256 of its weights `{BUILT_IN_SHA256}`")
    return "\n".join(lines)


def licence(base: str, folder: Path | None) -> str:
    """Of a base: known, or as its README says; ``not stated`` where nothing does."""
    name = base.removeprefix("sentence-transformers/")
    if folder is None:
        return LICENCES.get(name, "not stated")
    try:
        lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return "not stated"
    if not lines or lines[0].strip() != "---":
        return "not stated"
    for line in lines[1:]:
        if line.strip() == "---":
            break
        key, _, value = line.partition(":")
        if key == "license" and value.strip():
            return value.strip().strip("\"'")[:80]
    return "not stated"


def _numbers(card: Card) -> str:
    rows, gains = [], []
    for name, title in SETS.items():
        found = card.verdict["metrics"].get(name)
        if found is None:
            continue
        for model in (m for m in MODELS if m in found["models"]):
            one, around = found["models"][model], card.verdict["intervals"][name][model]
            ends = f"[{around['lower']:.3f}, {around['upper']:.3f}]"
            rows.append(
                [title, model, f"{one['questions']:,}", f"{around['mean']:.3f} {ends}"]
                + [f"{one[key]:.3f}" for key in MEASURES]
            )
        gains += [
            f"- {title}: challenger minus {other} {_interval(found[f'over_{other}'])}"
            for other in MODELS
            if f"over_{other}" in found
        ]
    head = ["questions", "model", "n", "MRR@10 (95 %)", *MEASURES.values()]
    return "\n\n".join(["## Results", _table(head, rows), "\n".join(gains)])


def _parts(card: Card) -> str:
    """Means by domain and by kind of question, and the intervals that the gate judged by."""
    judged = card.verdict["judgement"]["domains"]
    parts = []
    for key, title in (("domain", "By domain"), ("kind", "By kind of question")):
        found = card.verdict["metrics"][f"by_{key}"]
        models = [m for m in MODELS if any(m in means for means in found.values())]
        rows = [
            [name, f"{means[models[0]]['questions']:,}"]
            + [f"{means[m]['reciprocal_rank']:.3f}" for m in models]
            for name, means in found.items()
        ]
        head = [key, "n", *(f"{m}, MRR@10" for m in models)]
        parts.append(f"### {title}\n\n{_table(head, rows)}")
    gains = [f"- Gain in {name}: {_interval(one)}" for name, one in judged.items()]
    return "\n\n".join([*parts[:1], "\n".join(gains), *parts[1:]])


def _costs(card: Card) -> str:
    evaluated = card.verdict["measured"]["evaluate"]
    trained, took = card.verdict["measured"]["train"], card.verdict["seconds"]
    rows = [
        [m, f"{evaluated['latency_ms'][m]:.1f}", f"{evaluated['size_bytes'][m] / 1e6:,.1f}"]
        for m in MODELS
        if m in evaluated["latency_ms"]
    ]
    lines = ["## Speed and size", "", _table(["model", "ms a question", "MB"], rows)]
    said = [f"{name} {duration(seconds)}" for name, seconds in took.items()]
    peak = trained.get("peak_memory_bytes")
    said += [f"at most {peak / 1e9:.1f} GB of memory while training"] if peak else []
    return "\n".join([*lines, "", f"It took: {', '.join(said)}."])


def _parameters(card: Card) -> str:
    rows = [[f"`{key}`", f"`{value}`"] for key, value in sorted(card.params.items())]
    trained = card.verdict["trained"]
    said = (
        f"{trained['steps']:,} steps on {trained['pairs']:,} pairs, last loss {trained['loss']:g}"
    )
    return f"## Parameters\n\n{_table(['parameter', 'value'], rows)}\n\n{said}."


def _limits(card: Card) -> str:
    said = card.verdict
    lines = [
        "## Known limits",
        "",
        "- Questions are made of headings and references of the documents, and of golden ones: they"
        " stand for what people ask, and are not it.",
        "- Intervals say how sure a difference is on these documents, with one seed; another seed"
        " gives another model.",
        f"- It knows what #{said['publication']} said. What changed since is found by the index, not"
        " by the model.",
        "- Whoever has the weights has what can be got out of them: they were made of documents with"
        " the labels in the manifest.",
    ]
    if said["not_used"]:
        lines.append(f"- Not used, for it was not committed: {_names(said['not_used'])}.")
    return "\n".join(lines)


def _reproduce(card: Card) -> str:
    return "\n".join(
        [
            "## To make it again",
            "",
            f"`staleproof reproduce {card.verdict['model']} VERSION`, or in a clean clone at its tag:"
            f" `dvc pull`, then `dvc repro --force evaluate@{card.verdict['model']}`.",
            "",
            f"- Code and parameters: commit `{card.commit}`, code `{card.verdict['made_of']['code'][:16]}`",
            f"- Snapshot `{card.verdict['made_of']['content'][:16]}`,"
            f" weights `{card.verdict['weights'][:16]}`",
        ]
    )


def _interval(said: Mapping[str, Any]) -> str:
    return (
        f"{said['mean']:+.3f} [{said['lower']:+.3f}, {said['upper']:+.3f}],"
        f" {said['questions']:,} questions of {said['documents']:,} documents"
    )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items()))


def _names(files: Iterable[str]) -> str:
    """File names as text, whatever is in them."""
    plain = ("".join(c if c.isalnum() or c in "/._- " else "?" for c in name) for name in files)
    return ", ".join(plain)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
