"""A knowledge base with one document of each kind that no model may learn from, each marked."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.decide import withhold
from tests.project import Project, source

ALLOWED = "zebra-allowed"
"""Stands in what may be learned."""
MARKERS = {
    "taken down": "quokka-takendown",
    "quarantined": "lemur-quarantined",
    "expired": "ocelot-expired",
    "withheld": "tapir-withheld",
    "source left the configuration": "okapi-leftsource",
    "configuration says train = false": "narwhal-byrule",
    "front matter says train: false": "axolotl-byitself",
    "audit marked it": "pangolin-findings",
    "another domain": "wombat-otherdomain",
}
"""By reason, a word that stands only in the document that is left out for it."""

_SECRET = "".join(("AKIA", "Q7ZR2M9X4T", "LWB5KD"))
RULES = """
[[sources.rules]]
match = "rule/**"
train = false
[[sources.rules]]
match = "other/**"
domain = "other"
[[sources.rules]]
match = "narrow/**"
labels = ["managers"]
"""
DOMAINS = '[[domains]]\nname = "general"\nsecrets = "no-training"\nexpired = "withhold"\n'


def text(marker: str, extra: str = "") -> str:
    """A document with a marker in its heading, its body and its title."""
    return (
        f"# All about {marker}\n\n{extra}\nThe {marker} sleeps by day and eats leaves at night.\n\n"
        f"## Feeding the {marker}\n\nEvery evening somebody feeds the {marker} with fresh leaves.\n"
    )


def plant(project: Project, *, models: str = "") -> None:
    """Publishes all of them as readers may see them, then takes back what may not be learned."""
    (project.root / "left").mkdir()
    (project.root / "left/okapi.md").write_text(text(MARKERS["source left the configuration"]))
    project.configure(source(), source("left", "left"), more=models)
    for reason, path in _PATHS.items():
        project.write(path, text(MARKERS[reason]))
    for number in range(4):
        project.write(f"good/{number}.md", text(f"{ALLOWED}-{number}"))
    project.write(
        _PATHS["audit marked it"], text(MARKERS["audit marked it"], f"aws_key = {_SECRET}")
    )
    quiet = '[[domains]]\nname = "general"\nsecrets = "warn"\n'
    project.configure(source(), source("left", "left"), more=models + quiet)
    project.refresh()
    # From here on nothing is published; that one may not be learned from is known all the same.
    withhold(
        project.config, f"docs/{_PATHS['taken down']}", reason="wrong", signed=project.signed()
    )
    expired = "---\nvalid_until: 2020-01-01\n---\n" + text(MARKERS["expired"])
    private = "---\ntrain: false\n---\n" + text(MARKERS["front matter says train: false"])
    project.write(_PATHS["quarantined"], b"\xff\xfe broken " + MARKERS["quarantined"].encode())
    project.write(_PATHS["expired"], expired)
    project.write(_PATHS["front matter says train: false"], private)
    project.refresh()
    project.configure(source(more=RULES), more=models + DOMAINS)


_PATHS = {
    "taken down": "quokka.md",
    "quarantined": "lemur.md",
    "expired": "ocelot.md",
    "withheld": "narrow/tapir.md",
    "configuration says train = false": "rule/narwhal.md",
    "front matter says train: false": "axolotl.md",
    "audit marked it": "pangolin.md",
    "another domain": "other/wombat.md",
}


def contents(folder: Path) -> Iterator[str]:
    """Everything that stands in the files of a folder: the bytes, and what is packed in them."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.read_bytes().decode("latin-1")
        if file.suffix == ".parquet":
            yield repr(pq.read_table(file).to_pylist())


def found_in(folder: Path) -> set[str]:
    """The marks that stand in a folder."""
    marks = (ALLOWED, *MARKERS.values())
    return {mark for text in contents(folder) for mark in marks if mark in text}
