"""Parts that the model cards of all kinds share; names, hashes and numbers, never a document's text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.embedding.weights import BUILT_IN
from pipelines.retrain.progress import duration
from pipelines.training.generator.base import PACKAGED

LICENCES = {BUILT_IN: "Apache-2.0", PACKAGED: "Apache-2.0"}


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
    revision: str = ""
    """Of a base on the hub: the commit that was asked for."""


def whole_card(card: Card, parts: Iterable[str]) -> str:
    """A card of its parts, without the empty ones."""
    said = [f"# {card.verdict['model']}", *(part for part in parts if part)]
    return "\n\n".join(said) + "\n"


def verdict_part(card: Card, said: Iterable[str]) -> str:
    """Whether it may be promoted, what that follows from, and what the gate has to say."""
    word = "may be promoted" if card.verdict["promote"] else "is refused by the gate"
    lines = [
        f"A fine-tuned {card.verdict['kind']}, which {word}.",
        "",
        *said,
        *(f"- Refused: {reason}" for reason in card.verdict["reasons"]),
        *(f"- Note: {note}" for note in card.verdict["judgement"]["notes"]),
    ]
    return "\n".join(lines)


def data_part(card: Card) -> str:
    """Where the data come from, and what was left out of them."""
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
        f"- Held-out questions: {asked}"
        + (f", and {counts['golden']:,} golden" if counts["golden"] else ""),
    ]
    without = counts.get("without_evidence", 0)
    if without:
        lines.append(f"- Answers without evidence: {without:,}; their facts are learned by heart")
    for title, left in (
        ("Left out", said["left_out"]),
        ("Not made into examples", counts["left_out"]),
        ("Questions dropped", counts["dropped"]),
    ):
        lines += [f"- {title}: {counted(left)}"] if left else []
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


def costs_part(card: Card, figures: str, peaks: Mapping[str, Mapping[str, Any]]) -> str:
    """Speed and size, how long each step took, and how much memory at most.

    Args:
        card: What it is made of.
        figures: A table, and what is to be said of it.
        peaks: When -> what was measured then.
    """
    said = [f"{name} {duration(seconds)}" for name, seconds in card.verdict["seconds"].items()]
    said += [
        f"at most {measured['peak_memory_bytes'] / 1e9:.1f} GB of memory {when}"
        for when, measured in peaks.items()
        if measured.get("peak_memory_bytes")
    ]
    return f"## Speed and size\n\n{figures}\n\nIt took: {', '.join(said)}."


def limits_part(card: Card, of_kind: Iterable[str], since: str) -> str:
    """What a reader has to know: of the kind, and of all.

    Args:
        card: What it is made of.
        of_kind: Sentences.
        since: What becomes of what has changed since.
    """
    lines = [
        "## Known limits",
        "",
        *(f"- {sentence}" for sentence in of_kind),
        "- Intervals say how sure a difference is on these documents, with one seed; another seed"
        " gives another model.",
        f"- It knows what #{card.verdict['publication']} said. {since}",
        "- Whoever has the weights has what can be got out of them: they were made of documents with"
        " the labels in the manifest.",
    ]
    if card.verdict["not_used"]:
        lines.append(f"- Not used, for it was not committed: {_names(card.verdict['not_used'])}.")
    return "\n".join(lines)


def parameters_part(card: Card, what: str = "pairs") -> str:
    """The parameters, and how the training went over so many of ``what``."""
    rows = [[f"`{key}`", f"`{value}`"] for key, value in sorted(card.params.items())]
    trained = card.verdict["trained"]
    said = (
        f"{trained['steps']:,} steps on {trained['pairs']:,} {what}, last loss {trained['loss']:g}"
    )
    return f"## Parameters\n\n{table(['parameter', 'value'], rows)}\n\n{said}."


def reproduce_part(card: Card) -> str:
    """The commands that make the version once more, and what they start from."""
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


def around(said: Mapping[str, Any]) -> str:
    """A mean difference, its 95 % interval, and what it rests on."""
    return (
        f"{said['mean']:+.3f} [{said['lower']:+.3f}, {said['upper']:+.3f}],"
        f" {said['questions']:,} questions of {said['documents']:,} documents"
    )


def counted(counts: Mapping[str, int]) -> str:
    """``4 withheld, 2 too long``."""
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items()))


def ends(one: Mapping[str, Any], key: str = "mean") -> str:
    """A value and the ends of its interval."""
    return f"{one[key]:.3f} [{one['lower']:.3f}, {one['upper']:.3f}]"


def _names(files: Iterable[str]) -> str:
    """File names as text, whatever is in them."""
    plain = ("".join(c if c.isalnum() or c in "/._- " else "?" for c in name) for name in files)
    return ", ".join(plain)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
