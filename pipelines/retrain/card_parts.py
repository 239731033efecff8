"""Parts that the model cards of all kinds share; names, hashes and numbers, never a document's text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.embedding.weights import BUILT_IN
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


def names(files: Iterable[str]) -> str:
    """File names as text, whatever is in them."""
    plain = ("".join(c if c.isalnum() or c in "/._- " else "?" for c in name) for name in files)
    return ", ".join(plain)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
