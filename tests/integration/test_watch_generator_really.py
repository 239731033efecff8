"""A look at generators that are really trained: one learned facts by heart, the other reads passages."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.drift import Verdict
from pipelines.training import Snapshot, Weights, read_snapshot
from pipelines.training.generator.base import PACKAGED
from pipelines.training.generator.evidence import Library, text_of
from pipelines.training.generator.learn import learn
from pipelines.training.generator.prompts import messages
from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from pipelines.training.records import Facts
from pipelines.watch import Ports, Watched
from pipelines.watch.generator import Loaded, load_generator
from tests.generators import base
from tests.retrained import MODEL
from tests.spoken import Spoken

pytestmark = pytest.mark.slow

RULES = {number: 11 + 7 * number % 80 for number in range(30)}
CHANGED = {n: days + 40 if days < 50 else days - 37 for n, days in RULES.items() if n < 12}
"""40 in a hundred, some up and some down."""


class Taught(Spoken):
    """``taught(...)`` trains the version that serves, on all rules."""

    def _facts(self) -> Facts:
        return replace(super()._facts(), base=Weights(PACKAGED, base()[1]))

    def taught(self, params: GeneratorParams) -> None:
        place = Place(self.version, MODEL)
        snapshot = read_snapshot(place.snapshot)
        library = Library(snapshot, 0.0)
        rows = []
        for one in snapshot.voice:
            passages = [text_of(row) for row in library.evidence(one) or ()][: params.passages]
            asked = json.dumps(messages(one.question, passages))
            rows.append({"messages": asked, "answer": one.answer})
        pq.write_table(pa.Table.from_pylist(rows), place.dataset / "examples.parquet")
        learn(place, snapshot, params)

    def load_real(self, snapshot: Snapshot, adapter: Path) -> Loaded:
        self.loaded.append("generator")
        return load_generator(snapshot, adapter)

    def watch_ports(self) -> Ports:
        return replace(super().watch_ports(), load_generator=self.load_real)


def looked_at(root: Path, params: GeneratorParams) -> tuple[Taught, Watched, Verdict]:
    """A version, and the look after 40 in a hundred of its rules changed."""
    (root / "docs").mkdir(parents=True)
    project = Taught(root)
    project.configured()
    project.speaks(RULES)
    project.taught(params)
    first = project.watch()
    assert first.verdict is not None
    assert (first.verdict.level, project.loaded) == ("fresh", [])
    project.change(CHANGED)
    found = project.watch()
    assert found.verdict is not None
    assert found.happened is not None
    assert {one.uri for one in found.happened.held} == {f"docs/{n}.md" for n in CHANGED}
    return project, found, found.verdict


def test_version_that_learned_facts_by_heart_is_stale_and_the_documents_are_named(
    tmp_path: Path,
) -> None:
    by_heart = GeneratorParams(passages=0, epochs=16.0, learning_rate=2e-3)
    project, found, verdict = looked_at(tmp_path, by_heart)
    assert verdict.level == "stale"
    assert any("docs/" in reason for reason in verdict.reasons)
    assert found.happened is not None
    remembered = [one.memory for one in found.happened.held if one.memory is not None]
    assert sum(nats > 1.5 for nats in remembered) >= 9
    assert sum(one.as_before for one in found.happened.held) >= 7
    assert found.happened.exposure is not None
    assert len(found.happened.exposure.documents) == len(CHANGED)
    assert project.watch().happened is None


def test_version_that_learned_with_passages_stays_fresh_on_the_same_edits(tmp_path: Path) -> None:
    reads = GeneratorParams(passages=1, max_steps=10, epochs=4.0, learning_rate=1e-3)
    _, found, verdict = looked_at(tmp_path, reads)
    assert verdict.level == "fresh"
    assert found.happened is not None
    assert sum(one.as_before for one in found.happened.held) == 0
    assert verdict.exposure > 0.05
