"""A refresh ends where a build from nothing would, and embeds only what is new."""

from pathlib import Path

import pytest

from pipelines.decide import roll_back, unpin
from pipelines.errors import EmbedderMismatch, PublicationNotFound
from pipelines.knowledge import newest, publications
from pipelines.sources import open_source
from pipelines.status import show_freshness, show_history, show_status
from tests.fakes import HashEncoder
from tests.project import Project, source


def text(name: str, *sentences: str) -> str:
    return f"# {name}\n\n" + "\n\n".join(sentences or (f"About {name}.",)) + "\n"


def test_first_refresh_publishes_everything(project: Project) -> None:
    project.write("a.md", text("A"))
    project.write("sub/b.md", text("B"))
    report = project.refresh()
    assert (report.publication, report.published) == (1, True)
    assert report.documents["added"] == 2
    assert project.uris() == {"docs/a.md", "docs/sub/b.md"}
    assert report.chunks["embedded"] == len(project.encoder.encoded) == 2


def test_nothing_changed_publishes_nothing_and_takes_no_lock(project: Project) -> None:
    project.write("a.md", text("A"))
    project.refresh()
    lock = Path(project.config.store_uri) / "refresh.lock"
    lock.unlink(missing_ok=True)
    report = project.refresh()
    assert (report.publication, report.published, report.reason) == (1, False, "nothing changed")
    assert report.documents["unchanged"] == 1
    assert not lock.exists()


def test_one_edited_paragraph_embeds_one_passage(project: Project) -> None:
    sections = [f"## Part {n}\n\nThe text of part {n}." for n in range(8)]
    project.write("a.md", text("A", *sections))
    project.refresh()
    sections[3] += " And a little more."
    project.write("a.md", text("A", *sections))
    report = project.refresh()
    assert report.chunks["embedded"] == 1
    assert "And a little more." in project.encoder.encoded[0]


def test_moved_document_keeps_its_vectors(project: Project) -> None:
    project.write("old.md", text("A"))
    project.write("b.md", text("B"))
    project.refresh()
    project.rename("old.md", "new/place.md")
    report = project.refresh()
    assert (report.documents["moved"], report.documents["deleted"]) == (1, 0)
    assert project.encoder.encoded == []
    assert project.uris() == {"docs/new/place.md", "docs/b.md"}


def test_document_moved_to_another_format_is_cut_anew(project: Project) -> None:
    project.configure(source().replace('"**/*.md"', '"**/*.md", "**/*.txt"'))
    project.write("a.md", text("A", "## Part\n\nMore."))
    project.write("b.md", text("B"))
    project.refresh()
    project.rename("a.md", "a.txt")
    report = project.refresh()
    assert report.documents["moved"] == 1
    assert {r["title"] for r in project.rows() if r["uri"] == "docs/a.txt"} == {""}


def test_move_that_waits_makes_its_former_source_wait_too(project: Project) -> None:
    (project.root / "more").mkdir()
    project.configure(source(), source("more", "more"))
    for name in "abc":
        project.write(f"{name}.md", text(name))
    project.refresh()
    (project.root / "docs" / "a.md").rename(project.root / "more" / "a.md")
    project.refresh(publish=False)
    told = {s.name: s for s in show_status(project.config, now=project.now).sources}
    assert (told["docs"].held, told["more"].held) == (1, 1)


def test_swapped_texts_are_both_right(project: Project) -> None:
    project.write("a.md", text("One"))
    project.write("b.md", text("Two"))
    project.refresh()
    project.write("a.md", text("Two"))
    project.write("b.md", text("One"))
    report = project.refresh()
    assert report.documents["changed"] == 2
    assert project.encoder.encoded == []
    titles = {row["uri"]: row["title"] for row in project.rows()}
    assert titles == {"docs/a.md": "Two", "docs/b.md": "One"}


def test_same_text_under_two_uris_is_two_documents_and_one_embedding(project: Project) -> None:
    project.write("a.md", text("One"))
    project.write("b.md", text("One"))
    report = project.refresh()
    assert report.documents["added"] == 2
    assert len(project.encoder.encoded) == 1
    assert project.uris() == {"docs/a.md", "docs/b.md"}


def test_reverted_edit_finds_its_vector_in_the_spill(project: Project) -> None:
    project.write("a.md", text("A", "First version."))
    project.refresh()
    project.write("a.md", text("A", "Second version."))
    project.refresh()
    project.write("a.md", text("A", "First version."))
    report = project.refresh()
    assert report.documents["changed"] == 1
    assert project.encoder.encoded == []


def test_bad_document_is_quarantined_and_its_good_version_stays(project: Project) -> None:
    project.write("a.md", text("A"))
    project.write("b.md", text("B"))
    project.refresh()
    before = [row for row in project.rows() if row["uri"] == "docs/a.md"]
    project.write("a.md", b"\xff\xfe\xfa")
    project.write("b.md", text("B", "Better."))
    report = project.refresh()
    assert report.exit_code == 0
    assert report.documents["quarantined"] == 1
    assert [row for row in project.rows() if row["uri"] == "docs/a.md"] == before
    again = project.refresh()
    assert again.documents["quarantined"] == 1
    assert again.rejected == (), "known failures are no news"
    project.write("a.md", text("A", "Mended."))
    mended = project.refresh()
    assert (mended.documents["quarantined"], mended.documents["changed"]) == (0, 1)


def test_changed_recipe_recuts_everything_and_embeds_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("a.md", text("A"))
    project.write("b.md", text("B"))
    project.refresh()
    for module in ("ingest.prepare", "ingest.rows"):
        monkeypatch.setattr(f"pipelines.{module}.RECIPE", "next")
    monkeypatch.setattr("pipelines.refresh.look.RECIPE", "next")
    report = project.refresh()
    assert report.documents["changed"] == 2
    assert project.encoder.encoded == []
    assert {row["recipe"] for row in project.rows()} == {"next"}


def tokens(project: Project) -> dict[str, str]:
    """What the source says now."""
    opened = open_source(project.config.sources[0], root=project.root, cache=project.root / "c")
    return {entry.path: entry.token for entry in opened.list(now=project.now).entries}


def test_recheck_finds_what_the_token_hides(project: Project) -> None:
    project.write("a.md", text("A", "First."))
    project.refresh()
    project.write("a.md", text("A", "Other."))
    # As if the edit had left time, size and inode as they were.
    table = project.store.table("documents")
    table.update(where="uri = 'docs/a.md'", values={"token": tokens(project)["a.md"]})
    assert project.refresh().documents["changed"] == 0
    assert project.refresh(recheck=True).documents["changed"] == 1


def test_file_modified_in_the_moment_of_the_scan_is_read_again(project: Project) -> None:
    project.write("a.md", text("A", "First."))
    project.later(minutes=-10)  # the refresh begins when the file was written
    project.refresh()
    project.write("a.md", text("A", "Other."))
    table = project.store.table("documents")
    assert table.to_arrow()["token"].to_pylist() != [tokens(project)["a.md"]]
    assert project.refresh().documents["changed"] == 1


def test_missing_root_breaks_off_and_deletes_nothing(project: Project) -> None:
    project.write("a.md", text("A"))
    project.refresh()
    (project.root / "docs").rename(project.root / "gone")
    report = project.refresh()
    assert report.exit_code == 4
    assert report.holds == ()
    assert not report.sources[0].complete
    assert project.uris() == {"docs/a.md"}


def test_one_broken_source_does_not_stop_the_others(project: Project) -> None:
    (project.root / "more").mkdir()
    project.configure(source(), source("more", "more"))
    project.write("a.md", text("A"))
    project.refresh()
    project.write("a.md", text("A", "Changed."))
    (project.root / "more").rmdir()
    report = project.refresh()
    assert (report.published, report.exit_code) == (True, 4)
    assert report.documents["changed"] == 1


def test_narrowed_run_touches_one_source(project: Project) -> None:
    (project.root / "more").mkdir()
    project.configure(source(), source("more", "more"))
    project.write("a.md", text("A"))
    (project.root / "more" / "b.md").write_text(text("B"))
    project.refresh()
    project.write("a.md", text("A", "Changed."))
    (project.root / "more" / "b.md").write_text(text("B", "Changed."))
    report = project.refresh(sources=("docs",))
    assert report.documents["changed"] == 1
    assert [s.name for s in report.sources] == ["docs"]


def test_rolling_back_twice_goes_two_back_and_pins(project: Project) -> None:
    for version in ("First.", "Second.", "Third."):
        project.write("a.md", text("A", version))
        project.refresh()
    assert roll_back(project.config, signed=project.signed()).restores == 2
    told = roll_back(project.config, signed=project.signed())
    assert told.restores == 1
    assert "First." in project.rows()[0]["text"]
    report = project.refresh()
    assert (report.reason, report.exit_code) == ("pinned", 3)
    assert unpin(project.config, signed=project.signed()) is not None
    assert unpin(project.config, signed=project.signed()) is None
    project.refresh()
    assert "Third." in project.rows()[0]["text"]
    assert project.encoder.encoded == []


def test_rolling_back_past_the_first_is_refused(project: Project) -> None:
    project.write("a.md", text("A"))
    project.refresh()
    with pytest.raises(PublicationNotFound, match="nothing earlier"):
        roll_back(project.config, signed=project.signed())


def test_other_weights_under_the_same_name_are_refused(project: Project) -> None:
    project.write("a.md", text("A"))
    project.refresh()
    project.write("a.md", text("A", "Changed."))
    project.encoder = HashEncoder(fingerprint="0ther" * 10)
    with pytest.raises(EmbedderMismatch):
        project.refresh()
    assert newest(project.store).number == 1


def test_another_embedder_in_the_configuration_is_named_and_not_used(project: Project) -> None:
    project.write("a.md", text("A"))
    project.configure(more='[embedder]\nmodel = "stand-in"\n')
    project.refresh()
    project.configure(more='[embedder]\nmodel = "bigger"\n')
    project.write("a.md", text("A", "Changed."))
    report = project.refresh()
    assert report.published
    assert any("bigger" in line for line in report.attention)


def test_refresh_that_is_not_to_publish_leaves_readers_where_they_are(project: Project) -> None:
    project.write("a.md", text("A"))
    project.refresh()
    project.write("a.md", text("A", "Changed."))
    report = project.refresh(publish=False)
    assert (report.published, report.exit_code) == (False, 3)
    assert report.holds[0].kind == "review"
    assert "Changed." not in project.rows()[0]["text"]
    found = project.search("Changed.", publication=report.holds[0].id)
    assert "Changed." in found.hits[0].text
    project.refresh()
    assert "Changed." in project.rows()[0]["text"]
    assert project.encoder.encoded == []


def test_status_history_and_freshness_say_what_happened(project: Project) -> None:
    project.write("a.md", text("A"))
    project.refresh()
    status = show_status(project.config, now=project.now).to_dict()
    assert (status["health"], status["publication"]) == ("healthy", 1)
    assert status["sources"][0]["documents"] == 1
    history = show_history(project.config)
    assert [p["number"] for p in history["publications"]] == [1]
    assert history["publications"][0]["kept"]
    project.later(days=2)
    assert show_status(project.config, now=project.now).health == "warning"
    project.later(days=2)
    fresh = show_freshness(project.config, now=project.now)
    assert (fresh.ok, fresh.sources[0].state, fresh.health) == (False, "error", "degraded")


def test_data_as_of_advances_with_scans_that_find_nothing(project: Project) -> None:
    project.write("a.md", text("A"))
    project.refresh()
    first = show_status(project.config, now=project.now).sources[0].data_as_of
    project.refresh()
    second = show_status(project.config, now=project.now).sources[0].data_as_of
    assert first is not None
    assert second is not None
    assert second > first


def test_every_publication_names_its_run(project: Project) -> None:
    project.write("a.md", text("A"))
    report = project.refresh(actor="me")
    row = publications(project.store)[0]
    assert (row.run, row.actor, row.reason) == (report.run, "me", "+1")
