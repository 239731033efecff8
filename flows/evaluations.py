"""What a retraining came to, as the artifact ``evaluation-<model>``: card and pictures, no texts."""

import base64
import csv
from typing import Any

from flows.markdown import code, plain, sentence
from pipelines.config import Config
from pipelines.errors import StaleproofError
from pipelines.pages import loss_picture, scores_picture
from pipelines.registry import Version, find_version, read_text
from pipelines.retrain import Report

FOLDER = "data/training/{model}"
TITLES = {
    "held_out": "held out",
    "changed": "changed passages",
    "golden": "golden",
    "general": "other subjects",
}
SCORES = {"reciprocal_rank": "MRR@10", "answer": "Score of answers"}
"""What decides, by its name in the metrics."""
MOST_BYTES = 180_000
"""Of the whole: the server hands out artifacts whole, in every list."""


def evaluation(report: Report, *, card: str, losses: str) -> str:
    """A new version as Markdown: the verdict and what to do, pictures, the model card.

    Args:
        report: The run.
        card: The model card of its version.
        losses: ``loss.csv`` of its version.
    """
    said = report.verdict or {}
    word = "refused" if report.is_refused else "may be promoted"
    scored = SCORES.get(str(said.get("metrics", {}).get("metric")), "MRR@10")
    parts = [
        f"# {plain(report.model)} {plain(report.version or '')}: {word}",
        *(f"- {sentence(reason)}" for reason in said.get("reasons", ())),
        _to_do(report),
        _picture("The loss by step", loss_picture(_losses(losses))) if losses else "",
        _picture(f"{scored} of each model", scores_picture(_scores(said), f"{scored}, 95 %")),
        card.replace("# ", "## ", 1) if card.startswith("# ") else card,
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    return text.encode()[:MOST_BYTES].decode(errors="ignore")


def _to_do(report: Report) -> str:
    promote = f"staleproof promote {report.model} {report.version}"
    if not report.is_refused:
        return f"To promote it: {code(promote)}"
    look, anyway = report.next or "", f"{promote} --override --reason WHY"
    return f"To look at it: {code(look)}. To promote it all the same: {code(anyway)}"


def _losses(text: str) -> list[tuple[int, float]]:
    return [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(text.splitlines())]


def _scores(said: Any) -> dict[str, dict[str, tuple[float, float, float]]]:
    return {
        title: {
            model: (one["mean"], one["lower"], one["upper"])
            for model, one in said["intervals"][name].items()
        }
        for name, title in TITLES.items()
        if name in said.get("intervals", {})
    }


def _picture(said: str, svg: str) -> str:
    packed = base64.b64encode(svg.encode()).decode()
    return f"![{said}](data:image/svg+xml;base64,{packed})"


def _read(config: Config, version: Version, name: str) -> str:
    try:
        return read_text(config.root, version, f"{FOLDER.format(model=version.model)}/{name}")
    except StaleproofError:
        return ""


async def show_evaluation(report: Report, config: Config) -> None:
    """Keeps the evaluation of a new version as the newest of ``evaluation-<model>``."""
    from prefect.artifacts import acreate_markdown_artifact

    if report.version is None:
        return
    version = find_version(config.root, report.model, report.version)
    card, losses = (_read(config, version, name) for name in ("card.md", "loss.csv"))
    text = evaluation(report, card=card, losses=losses)
    said = f"{report.version}: {'refused' if report.is_refused else 'may be promoted'}"
    await acreate_markdown_artifact(text, key=f"evaluation-{report.model}", description=said)
