"""An embedder that gives other vectors than before stops whoever is about to write."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipelines.errors import EmbedderChanged
from pipelines.quality import check_unchanged, unchanged
from pipelines.quality.unchanged import TEXTS
from pipelines.records import Vectors
from tests.fakes import HashEncoder
from tests.project import Project
from tests.retrained import Retrained


@pytest.fixture
def filled(project: Project) -> Project:
    project.configure()
    project.write("a.md", "# Leave\n\nThirty days a year.\n")
    project.refresh()
    return project


def test_there_are_thirty_two_texts_and_each_once() -> None:
    assert len(TEXTS) == len(set(TEXTS)) == 32


def test_a_refresh_by_other_vectors_is_an_error_and_writes_nothing(filled: Project) -> None:
    before = filled.rows()
    filled.encoder = replace(filled.encoder, salt="another library", encoded=[])
    filled.write("b.md", "# Travel\n\nBook a train.\n")
    with pytest.raises(EmbedderChanged, match="Index incompatible") as error:
        filled.refresh()
    assert error.value.exit_code == 1
    assert filled.encoder.encoded == []
    assert filled.rows() == before
    assert filled.store.table("vectors").count_rows() == 1  # of the passage that was there


def test_nothing_to_embed_asks_for_no_model(filled: Project) -> None:
    filled.encoder = replace(filled.encoder, salt="another library", encoded=[])
    filled.rename("a.md", "c.md")
    assert filled.refresh().published


def test_rounding_is_no_change(filled: Project) -> None:
    filled.encoder = Nearly(**vars(filled.encoder))
    least = check_unchanged(filled.store, filled.encoder, now=filled.now)
    assert 1 - 1e-6 < least < 1


def test_model_that_failed_is_tried_again_and_one_that_passed_after_an_hour(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counting(**vars(replace(filled.encoder, salt="another library")))
    for _ in range(2):
        with pytest.raises(EmbedderChanged):
            check_unchanged(filled.store, counted, now=filled.now)
    assert counted.fixed == 2 * len(TEXTS)
    counted.salt = ""
    for _ in range(2):
        check_unchanged(filled.store, counted, now=filled.now)
    assert counted.fixed == 3 * len(TEXTS)
    monkeypatch.setattr(unchanged, "AGAIN_SECONDS", -1.0)
    check_unchanged(filled.store, counted, now=filled.now)
    assert counted.fixed == 4 * len(TEXTS)


def test_a_refresh_embeds_the_texts_once(filled: Project) -> None:
    counted = Counting(**vars(filled.encoder))
    filled.encoder = counted
    for name in range(3):
        filled.write(f"{name}.md", f"# Page {name}\n\nWords of {name}.\n")
    filled.refresh()
    assert counted.fixed == len(TEXTS)
    kept = filled.store.table("canaries").count_rows()
    assert kept == len(TEXTS)


def test_a_fill_by_other_vectors_is_an_error(tmp_path: Any) -> None:
    project = Retrained(tmp_path)
    (tmp_path / "docs").mkdir()
    project.configure(more='[[models]]\nname = "tuned"\n')
    project.write("a.md", "# Leave\n\nThirty days a year.\n")
    project.refresh()
    model = "data/models/tuned/v0.0.1"
    check_unchanged(project.store, project.encoders[model], now=project.now)
    project.encoders[model] = replace(project.encoders[model], salt="other")
    with pytest.raises(EmbedderChanged):
        project.promote()
    assert project.last.models == {}


class Nearly(HashEncoder):
    """Rounds otherwise."""

    def encode(self, texts: Any) -> Vectors:
        vectors = super().encode(texts)
        vectors[:, 0] += np.float32(1e-4)
        return vectors


class Counting(Nearly):
    """Counts the fixed texts that it embeds."""

    fixed = 0

    def encode(self, texts: Any) -> Vectors:
        self.fixed += sum(text in TEXTS for text in texts)
        return super().encode(texts)
