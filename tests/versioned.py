"""A small project in git and DVC whose model is a text file, made by three quick stages."""

import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.registry import (
    Version,
    Workspace,
    changed,
    publish_version,
    registry_lock,
    reproduce_stages,
    track,
    workspace,
)

MODEL = "handbook"
TARGETS = (f"evaluate@{MODEL}",)
SNAPSHOT = f"data/training/{MODEL}/snapshot"

_CONFIG = """[core]
    analytics = false
    check_update = false
    autostage = true
    remote = local
[cache]
    type = "reflink,hardlink,symlink,copy"
['remote "local"']
    url = ../data/dvc-remote
"""
_STAGES = """stages:
  dataset:
    foreach: ${models}
    do:
      cmd: python pipelines/stage.py dataset ${key}
      deps: [pipelines/stage.py, "data/training/${key}/snapshot"]
      params: ["models.${key}"]
      outs: ["data/training/${key}/dataset"]
  train:
    foreach: ${models}
    do:
      cmd: python pipelines/stage.py train ${key}
      deps: [pipelines/stage.py, "data/training/${key}/dataset"]
      params: ["models.${key}"]
      outs: ["data/training/${key}/weights"]
  evaluate:
    foreach: ${models}
    do:
      cmd: python pipelines/stage.py evaluate ${key}
      deps: [pipelines/stage.py, "data/training/${key}/weights"]
      params: ["models.${key}"]
      metrics:
        - "data/training/${key}/evaluation/metrics.json": {cache: false}
"""
_STAGE = """
import json, os, pathlib, sys, time
stage, model = sys.argv[1:]
home = pathlib.Path("data/training") / model
print(f"{stage} of {model}")
if stage == os.environ.get("FAILS_IN"):
    sys.exit("it is broken")
if stage == os.environ.get("SLEEPS_IN"):
    pathlib.Path(os.environ["SLEEPING"]).write_text(str(os.getpid()))
    time.sleep(600)
if stage == "dataset":
    (home / "dataset").mkdir(parents=True)
    (home / "dataset/pairs.txt").write_text((home / "snapshot/000.txt").read_text().upper())
if stage == "train":
    seed = os.environ.get("NOISE", "")
    (home / "weights/1_Pooling").mkdir(parents=True)
    (home / "weights/1_Pooling/config.json").write_text("{}")
    (home / "weights/model.txt").write_text((home / "dataset/pairs.txt").read_text()[::-1] + seed)
if stage == "evaluate":
    (home / "evaluation").mkdir(parents=True, exist_ok=True)
    size = len((home / "weights/model.txt").read_text())
    (home / "evaluation/metrics.json").write_text(json.dumps({"mrr": {"all": size}}) + "\\n")
"""


@dataclass
class Versioned:
    """Its folder, and what a person does in it."""

    root: Path

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self, message: str = "What a person did") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    @property
    def remote(self) -> Path:
        return self.root / "data" / "dvc-remote"

    @property
    def cache(self) -> Path:
        return self.root / ".dvc" / "cache"

    def add_origin(self) -> Path:
        """A bare repository beside it, as ``origin``."""
        bare = self.root.parent / "origin.git"
        subprocess.run(["git", "init", "--quiet", "--bare", str(bare)], check=True)
        self.git("remote", "add", "origin", str(bare))
        return bare

    @contextmanager
    def space(self, run: str = "run-1", **more: Any) -> Iterator[Workspace]:
        with (
            registry_lock(self.root, run),
            workspace(self.root, run, MODEL, stages=TARGETS, **more) as space,
        ):
            yield space

    def retrain(
        self,
        text: str,
        run: str = "run-1",
        on_step: Callable[[str], None] = lambda _: None,
        **more: Any,
    ) -> Version | None:
        """A whole run on a text; None where nothing changed."""
        with self.space(run) as space:
            write_snapshot(space, text)
            reproduce_stages(space, TARGETS, **more)
            if not changed(space):
                return None
            verdict = space.folder / f"data/training/{MODEL}/verdict.json"
            verdict.write_text('{"promote": true}\n')
            return publish_version(space, f"Learned: {text}", "{}", on_step=on_step)

    def print_of_tree(self) -> dict[str, str]:
        """Every byte of the user's own: tree, index, branches, HEAD; not what is git-ignored."""
        listed = self.git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split(
            "\0"
        )
        names = [name for name in listed if name and (self.root / name).is_file()]
        seen = {name: _hash(self.root / name) for name in names}
        refs = self.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads")
        mine = [line for line in refs.splitlines() if "staleproof/" not in line]
        return seen | {
            "index": _hash(self.root / ".git/index"),
            "HEAD": (self.root / ".git/HEAD").read_text(),
            "branches": "\n".join(mine),
            "status": self.git("--no-optional-locks", "status", "--porcelain"),
        }


def missing_objects(project: Versioned) -> list[str]:
    """What versions name and the remote does not have as its hash says, read without our own code."""
    missing = []
    for tag in project.git("tag", "--list", "*@v*").splitlines():
        listed = project.git("ls-tree", "-r", "--name-only", tag).splitlines()
        for path in [one for one in listed if one == "dvc.lock" or one.endswith(".dvc")]:
            oids = re.findall(r"md5: ([0-9a-f]{32}\.dir)", project.git("show", f"{tag}:{path}"))
            for oid in oids:
                list_file = _in_remote(project, oid)
                inside = json.loads(list_file.read_text()) if list_file.exists() else []
                named = [oid, *(entry["md5"] for entry in inside)]
                missing += [f"{tag} {one}" for one in named if not _is_whole(project, one)]
    return missing


def _is_whole(project: Versioned, oid: str) -> bool:
    file = _in_remote(project, oid)
    content = file.read_bytes() if file.exists() else b""
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == oid.removesuffix(".dir")


def _in_remote(project: Versioned, oid: str) -> Path:
    return project.remote / "files" / "md5" / oid[:2] / oid[2:]


def write_snapshot(space: Workspace, text: str) -> None:
    """What a run writes before the stages, under DVC."""
    file = space.folder / SNAPSHOT / "000.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.write_text(text)
    track(space, SNAPSHOT)


def make_versioned(folder: Path) -> Versioned:
    """The project, committed."""
    project = Versioned(folder / "project")
    project.root.mkdir(parents=True)
    project.git("init", "--quiet", "--initial-branch=main")
    project.write(".dvc/config", _CONFIG)
    project.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    project.write(".dvcignore", "")
    project.write(".gitignore", "data/dvc-remote/\n")
    project.write("dvc.yaml", _STAGES)
    project.write("params.yaml", f"models:\n  {MODEL}: {{seed: 1}}\n  other: {{seed: 2}}\n")
    project.write("pipelines/stage.py", _STAGE)
    project.write("README.md", "A project.\n")
    project.commit("A project")
    return project


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
