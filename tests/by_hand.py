"""Somebody writes into a store behind everybody's back, and verify is asked about it."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.knowledge import newest
from pipelines.verify import Verification, verify_knowledge
from tests.project import Project

Row = dict[str, Any]
Corruption = Callable[[list[Row]], list[Row] | None]
"""Gets all rows of what is published; changes them, or gives others."""

DOCUMENTS = {
    "leave.md": "# Leave\n\nThirty days.\n\n## Notice\n\nTwo weeks.\n\n## Who\n\nEveryone.\n",
    "pay.md": "---\nlabels: [hr]\n---\n# Pay\n\nMonthly.\n\n## Raise\n\nYearly.\n",
    "twin.md": "# Twin\n\nSaid twice.\n",
    "twins/twin.md": "# Twin\n\nSaid twice.\n",
    "it's.md": "# Quoted\n\nA name with a quote.\n",
}
LEAVE, PAY, TWIN = "docs/leave.md", "docs/pay.md", "docs/twin.md"
GHOST = "docs/ghost.md"
"""A document that was never there."""


def published(folder: Path) -> Project:
    """A project with all of ``DOCUMENTS``, refreshed once."""
    made = Project(folder)
    made.configure()
    for path, text in DOCUMENTS.items():
        made.write(path, text)
    made.refresh()
    return made


def copied(project: Project, folder: Path) -> Project:
    """A project of its own that has come as far as another one."""
    shutil.copytree(project.root, folder)
    return Project(folder, now=project.now, runs=itertools.count(100))


def second_publication(project: Project) -> None:
    project.write("new.md", "# New\n\nNews.\n")
    project.refresh()


def edit(project: Project) -> None:
    """One document changed, one added, one gone, one under another name."""
    project.write("leave.md", "# Leave\n\nForty days.\n")
    project.write("new.md", "# New\n\nNews.\n")
    project.remove("it's.md")
    project.rename("pay.md", "wages.md")


def verify(project: Project, **asked: Any) -> Verification:
    project.later(seconds=1)
    asked = {"load_encoder": project.ports().load_encoder, "run_id": "v"} | asked
    return verify_knowledge(project.config, now=project.now, **asked)


def kinds(found: Verification) -> set[str]:
    return {problem.kind for problem in found.problems}


def named(found: Verification) -> set[tuple[str, str]]:
    return {(problem.kind, problem.uri) for problem in found.problems}


def corrupt(project: Project, change: Corruption, *, recount: bool = True) -> None:
    """Writes other rows behind everybody's back and makes the newest publication name them."""
    rows = project.rows()
    changed = change(rows)
    rows = rows if changed is None else changed
    last = newest(project.store)
    assert last is not None
    table = project.store.table(last.generation)
    table.delete("true")
    table.add(pa.Table.from_pylist(rows, schema=table.schema))
    table.tags.create(f"pub-bad-{table.version}", table.version)
    values = {"version": table.version}
    if recount:
        values |= {"documents": len({row["uri"] for row in rows}), "chunks": len(rows)}
    project.store.table("publications").update(where=f"number = {last.number}", values=values)


def unheed(project: Project) -> None:
    """Lets readers see what the ledger withholds, as if nothing had been withheld."""
    unheeded = {"withheld": ["docs/none.md"]}
    project.store.table("publications").update(where="true", values=unheeded)


def of(rows: list[Row], uri: str) -> list[Row]:
    return [row for row in rows if row["uri"] == uri]


def put(uri: str, at: int | None, /, **values: Any) -> Corruption:
    """A corruption: other values in one row of a document, or in all of them."""

    def change(rows: list[Row]) -> None:
        for row in of(rows, uri):
            if at is None or row["position"] == at:
                row.update(values)

    return change


def without(uri: str, position: int | None = None) -> Corruption:
    """A corruption: a document is gone, or one row of it."""

    def change(rows: list[Row]) -> list[Row]:
        return [r for r in rows if (r["uri"], position) not in ((uri, None), (uri, r["position"]))]

    return change


def again(uri: str, position: int) -> Corruption:
    """A corruption: a row is there twice."""
    return lambda rows: [*rows, of(rows, uri)[position]]


def as_another(uri: str, other: str, **values: Any) -> Corruption:
    """A corruption: the rows of a document stand there under another uri too."""
    return lambda rows: [*rows, *(row | {"uri": other} | values for row in of(rows, uri))]


def axis(n: int) -> list[float]:
    return [float(i == n) for i in range(16)]
