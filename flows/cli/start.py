"""Command init: writes what a new project needs, and never overwrites."""

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console

from flows.cli.doors import Answer, Given
from pipelines.errors import ConfigError

FILE_NAME = "staleproof.toml"
IGNORED = ("data/store/", ".staleproof/")
"""Lines of .gitignore: the store, and what ``staleproof up`` keeps."""

_URL = re.compile(r"[a-z][a-z0-9+.-]*://|[^/\\]+@[^/\\:]+:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the documents of a new project are."""

    kind: Literal["files", "git"]
    location: str
    name: str


def init(
    documents: Annotated[str, Parameter(name="FOLDER-or-GIT-URL")] = ".",
    /,
    *,
    session: Given,
) -> Answer:
    """Write a configuration for a folder or a git repository of documents.

    Writes only what is missing: staleproof.toml, the suites of what documents must be to be
    published, prefect.yaml with what a Prefect server runs, dvc.yaml and params.yaml with what trains
    models, and the lines of .gitignore that keep store, weights and server out of git.

    Args:
        documents: A folder; or the URL, bundle or bare folder of a git repository.
        session: Of this call.
    """
    from flows.ops.starter import FILE_NAME as DEPLOYMENTS
    from flows.ops.starter import prefect_yaml
    from pipelines.config import load_config, template
    from pipelines.quality import write_suites
    from pipelines.registry import starter

    file = _file(session.config_path)
    if file.exists():
        load_config(file)  # a broken one is told before anything is written
    place = _place(documents, file.absolute().parent)
    text = template(
        knowledge=place.name, source=place.name, kind=place.kind, location=place.location
    )
    written: list[str] = []
    kept: list[str] = []
    (written if _write_new(file, text) else kept).append(str(file))
    config = load_config(file)
    deployments = file.parent / DEPLOYMENTS
    text = prefect_yaml(knowledge=config.knowledge.name, config=file.name, pool=config.server.pool)
    (written if _write_new(deployments, text) else kept).append(str(deployments))
    name = config.models[0].name if config.models else f"{config.knowledge.name}-embedder"
    for path, text in starter.project_files(name).items():
        (written if _write_new(file.parent / path, text) else kept).append(str(file.parent / path))
    suites = file.parent / config.audit.expectations
    new = write_suites(suites)
    for suite in sorted(suites.glob("*.json")):
        (written if suite in new else kept).append(str(suite))
    ignored = file.parent / ".gitignore"
    added = [_add_line(ignored, line) for line in (*IGNORED, *starter.IGNORED)]
    (written if any(added) else kept).append(str(ignored))
    data = {
        "config": str(file),
        "written": written,
        "kept": kept,
        "source": {"name": place.name, "kind": place.kind, "location": place.location},
        "next": "staleproof refresh",
    }
    return Answer(data, _show)


def _file(config: Path | None) -> Path:
    return config or Path(os.environ.get("STALEPROOF_CONFIG") or FILE_NAME)


def _place(documents: str, root: Path) -> _Place:
    if _URL.match(documents):
        return _Place("git", documents, _name(re.split(r"[/:]", documents.rstrip("/"))[-1]))
    path = Path(documents)
    if not path.exists():
        raise ConfigError(
            f"There is no folder {path.absolute()}.",
            hint="Name the folder of your documents, or the URL of a git repository.",
        )
    bare = path.is_dir() and (path / "HEAD").is_file() and (path / "objects").is_dir()
    if not path.is_dir() and path.suffix != ".bundle":
        raise ConfigError(
            f"{path} is a file.", hint="Name the folder that it is in, or a git bundle."
        )
    kind: Literal["files", "git"] = "files" if path.is_dir() and not bare else "git"
    return _Place(kind, _seen_from(root, path), _name(path.resolve().name))


def _seen_from(root: Path, path: Path) -> str:
    """A path as the configuration shall say it: relative where the person said it relative."""
    here = path.resolve()
    if path.is_absolute() and not here.is_relative_to(root.resolve()):
        return str(path)
    return Path(os.path.relpath(here, root.resolve())).as_posix()


def _name(text: str) -> str:
    """A valid name made from the name of a folder or repository."""
    stem = re.sub(r"\.(git|bundle)$", "", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-") or "knowledge"


def _write_new(file: Path, text: str) -> bool:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        return False
    return True


def _add_line(file: Path, line: str) -> bool:
    before = file.read_text("utf-8") if file.exists() else ""
    if {line, line.rstrip("/"), f"/{line}"} & set(before.splitlines()):
        return False
    end = "" if before.endswith("\n") or not before else "\n"
    with file.open("a", encoding="utf-8") as more:
        more.write(f"{end}{line}\n")
    return True


def _show(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    for path in data["written"]:
        console.print(f"wrote  {path}")
    for path in data["kept"]:
        console.print(f"kept   {path}, as it is")
    source = data["source"]
    if data["config"] in data["kept"]:
        console.print(
            f"\nNothing was added to the configuration. For {source['location']}, write a"
            " [[sources]] table into it."
        )
    else:
        console.print(
            f"\nSource {source['name']} is {source['location']}; everyone may read it. To change"
            f" that, edit its labels and rules in {data['config']}."
        )
    console.print(f"\nNext: {data['next']}")
