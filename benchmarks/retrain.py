"""A model trained on an old snapshot of a real handbook, and one trained on a new one, by the commands of a user.

Needs a git bundle or repository with the branch `main`. The first version is let in whatever its gate
says, so that the second one has a champion to be compared with. Questions are those of the documents
as they are at the second date.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import head, row

MODEL = "handbook-embedder"
DONE, REFUSED = 0, 3
DOMAINS = {
    "policies": "**/policies/**",
    "tools": "**/tools/**",
    "travel": "**/travel-and-leave/**",
    "about": "**/about-us/**",
}
SMALL = {"epochs": 1.0, "max_tokens": 64, "max_pairs": 640, "learning_rate": 5e-5}
"""Instead of the values of params.yaml, unless the whole of it is asked for."""
RULE = '[[sources.rules]]\nmatch = "{match}"\ndomain = "{domain}"\n'
CONFIGURATION = """\
[knowledge]
name = "handbook"
store = "data/store"
[[sources]]
name = "handbook"
kind = "git"
url = "{url}"
ref = "{ref}"
domain = "general"
labels = ["public"]
{rules}[[models]]
name = "{model}"
"""


def commit_at(bundle: Path, date: str, scratch: Path) -> str:
    """The last commit before a date."""
    clone = scratch / "bundle"
    if not clone.exists():
        command = ["git", "clone", "--quiet", "--bare", "--branch", "main", bundle, clone]
        subprocess.run(command, check=True)
    told = subprocess.run(
        ["git", "-C", str(clone), "rev-list", "-1", f"--before={date}", "main"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return told.stdout.strip()


def new_project(root: Path, parameters: str) -> None:
    """A project of a user: stages and DVC as staleproof ships them, and nothing else."""
    ours = Path(__file__).parents[1]
    root.mkdir()
    shutil.copy(ours / "dvc.yaml", root)
    shutil.copytree(
        ours / ".dvc", root / ".dvc", ignore=lambda _, names: {*names} - {"config", ".gitignore"}
    )
    shutil.copy(ours / ".dvcignore", root)
    (root / "params.yaml").write_text(parameters, encoding="utf-8")
    (root / ".gitignore").write_text("data/store/\ndata/models/\ndata/dvc-remote/\n.staleproof/\n")
    for command in (["init", "--quiet", "--initial-branch=main"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=root, check=True)


def commit(root: Path) -> None:
    """Everything of the project."""
    who = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")
    for command in (["add", "-A"], [*who, "commit", "--quiet", "--message", "project"]):
        subprocess.run(["git", *command], cwd=root, check=True)


def staleproof(root: Path, *arguments: str, ends: tuple[int, ...] = (DONE,)) -> dict[str, Any]:
    """One command; its JSON."""
    command = [str(Path(sys.executable).with_name("staleproof")), *arguments, "--json"]
    told = subprocess.run(
        command,
        check=False,
        cwd=root,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    if told.returncode not in ends:
        raise SystemExit(f"{' '.join(arguments)} ended with {told.returncode}: {told.stdout}")
    answer: dict[str, Any] = json.loads(told.stdout)
    return answer


def refreshed(root: Path, url: Path, ref: str) -> None:
    """Publishes a commit, whatever waits for a person."""
    rules = "".join(RULE.format(domain=d, match=match) for d, match in DOMAINS.items())
    text = CONFIGURATION.format(url=url, ref=ref, model=MODEL, rules=rules)
    (root / "staleproof.toml").write_text(text, encoding="utf-8")
    staleproof(root, "refresh", ends=(DONE, REFUSED))
    for hold in staleproof(root, "holds")["holds"]:
        staleproof(root, "accept", hold["id"], "--reason", "benchmark", ends=(DONE, REFUSED))


def told(name: str, report: dict[str, Any], seconds: float) -> None:
    """What came of a retraining."""
    held_out = report["metrics"]["held_out"]
    for model, means in held_out["models"].items():
        general = report["metrics"]["general"]["models"][model]["reciprocal_rank"]
        row(
            f"{name}, {model}",
            f"MRR@10 {means['reciprocal_rank']:.3f} (n={means['questions']})",
            f"recall@5 {means['recall_5']:.3f}, other subjects {general:.3f}",
        )
    for other in ("base", "champion"):
        if found := held_out.get(f"over_{other}"):
            row(
                f"{name} minus {other}",
                f"{found['mean']:+.3f} [{found['lower']:+.3f}, {found['upper']:+.3f}]",
                f"{found['questions']} questions, {found['documents']} documents",
            )
    row(f"{name}, the gate", report["verdict"], "; ".join(report["reasons"]) or "no objection")
    row(f"{name}, time", f"{seconds:.0f} s", json.dumps(report["seconds"]))


def main(bundle: Path, first: str, second: str, parameters: str, keep: Path | None) -> None:
    """Trains, promotes, trains again, compares, and makes the second version once more."""
    head("Retraining on a real handbook")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        root = keep or scratch / "project"
        new_project(root, parameters)
        for number, date in enumerate((first, second), start=1):
            refreshed(root, bundle, commit_at(bundle, date, scratch))
            if number == 1:
                commit(root)
            started = time.perf_counter()
            report = staleproof(root, "retrain", MODEL, ends=(DONE, REFUSED))
            told(f"trained on {date}", report, time.perf_counter() - started)
            if number == 1:
                started = time.perf_counter()
                staleproof(
                    root, "promote", MODEL, report["version"], "--override", "--reason", "benchmark"
                )
                row("promotion of the first", f"{time.perf_counter() - started:.0f} s", "")
        started = time.perf_counter()
        same = staleproof(root, "reproduce", MODEL, "v0.0.2", ends=(DONE, REFUSED))
        row("made once more", "the same" if same["same"] else str(same["differences"]),
            f"{time.perf_counter() - started:.0f} s")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--first", default="2018-12-31")
    parser.add_argument("--second", default="2024-12-31")
    parser.add_argument("--whole", action="store_true", help="with the values of params.yaml")
    parser.add_argument("--keep", type=Path, help="leave the project in this new folder")
    asked = parser.parse_args()
    params = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    params["models"][MODEL] |= {} if asked.whole else SMALL
    main(asked.bundle.absolute(), asked.first, asked.second, yaml.safe_dump(params), asked.keep)
