"""The store as others meet it: its format, its readers, what is remembered of questions."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import lancedb
import pytest

from pipelines.answers import import_queries
from pipelines.errors import ConfigError, PublicationNotFound, StoreError, StoreFormat
from pipelines.knowledge import find_publication, find_store, newest, open_store, refresh_lock
from pipelines.knowledge.queries import logged_queries
from pipelines.knowledge.tables import quoted
from pipelines.refresh import plan_knowledge
from pipelines.status import compare_publications, show_head
from tests.project import Project, rule, source

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def test_store_of_another_format_is_refused_naming_both(project: Project) -> None:
    project.write("a.md", "# A\n\nText.\n")
    project.refresh()
    project.store.table("store").update(values={"format": 99})
    with pytest.raises(StoreFormat, match=r"format 99.*format 2"):
        project.refresh()


def test_where_there_is_no_store_nothing_is_found(tmp_path: Path) -> None:
    assert find_store(str(tmp_path / "nowhere")) is None
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("number", [0, -1, 2, 2**63, -(10**30)])
def test_publication_of_a_number_that_never_was_is_not_found(project: Project, number: int) -> None:
    project.write("a.md", "# A\n\nText.\n")
    project.refresh()
    with pytest.raises(PublicationNotFound, match=f"no publication #{number}"):
        find_publication(project.store, number)


def test_two_who_make_the_same_store_end_with_one(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")
    makers = [
        threading.Thread(target=open_store, args=(uri,), kwargs={"now": datetime.now(UTC)})
        for _ in range(3)
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    made = find_store(uri)
    assert made is not None
    assert made.table("store").count_rows() == 1
    key = made.table("publications").schema.field("number").metadata
    assert key, "without a declared key two publications could share a number"


def test_head_serves_a_plain_lancedb_reader(project: Project) -> None:
    project.configure(source(more=rule("hr/**", '["hr"]')))
    project.write("hr/pay.md", "# Pay\n\nSecret.\n")
    project.write("open.md", "# Open\n\nFor all.\n")
    project.refresh()
    head = show_head(project.config, labels=frozenset())
    table = lancedb.connect(head["uri"]).open_table(head["table"])
    table.checkout(head["version"])
    assert {r["uri"] for r in table.search().where(head["filter"]).to_list()} == {"docs/open.md"}
    wider = show_head(project.config, labels=frozenset({"hr"}))
    found = table.search().where(wider["filter"]).to_list()
    assert {r["uri"] for r in found} == {"docs/open.md", "docs/hr/pay.md"}


def test_question_with_quotes_in_domain_and_labels_is_only_text(project: Project) -> None:
    project.write("a'b.md", "# A\n\nIt's here.\n")
    project.refresh()
    assert quoted("a'b") == "'a''b'"
    found = project.search("it's", ["x') OR true --"], domain="general' OR 'a'='a")
    assert found.hits == ()
    assert project.seen() == {"docs/a'b.md"}


def test_questions_are_kept_as_vectors_and_their_words_only_by_policy(project: Project) -> None:
    project.write("a.md", "# A\n\nText.\n")
    project.refresh()
    project.search("a private question", domain="general")
    project.configure(more="[queries]\nkeep_text = true\n")
    project.search("a public question")
    project.configure(more="[queries]\nlog = false\n")
    project.search("never kept")
    rows = logged_queries(project.store)
    assert [row["text"] for row in rows] == [None, "a public question"]
    assert [row["domain"] for row in rows] == ["general", None]
    assert all(len(row["vector"]) == project.encoder.dimension for row in rows)
    assert rows[0]["hits"] == ["docs/a.md"]


def test_read_only_store_answers_and_logs_nothing(project: Project) -> None:
    project.write("a.md", "# A\n\nText.\n")
    project.refresh()
    # The tests may run as root, whom no permission stops: a file where a folder must be does.
    (Path(project.config.store_uri) / "queries.lance" / "data").write_text("in the way")
    assert project.seen() == {"docs/a.md"}
    assert logged_queries(project.store) == []


def test_imported_questions_keep_their_time_and_answers(project: Project) -> None:
    project.write("a.md", "# A\n\nText.\n")
    project.refresh()
    lines = [
        {"question": "How?", "at": "2026-01-31T12:00:00Z", "accepted": ["docs/a.md"]},
        {"question": "When?"},
    ]
    file = project.root / "log.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines))
    load = project.ports().load_encoder
    assert import_queries(project.config, file, now=project.now, load_encoder=load) == 2
    first = logged_queries(project.store)[0]
    assert first["at"] == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert first["accepted"] == ["docs/a.md"]
    assert first["origin"] == "import"


@pytest.mark.parametrize("bad", ["{", '{"question": ""}', "[]", '{"question": "x", "at": "soon"}'])
def test_one_bad_line_imports_nothing(project: Project, bad: str) -> None:
    project.write("a.md", "# A\n\nText.\n")
    project.refresh()
    file = project.root / "log.jsonl"
    file.write_text('{"question": "How?"}\n' + bad)
    load = project.ports().load_encoder
    with pytest.raises(ConfigError, match=r"log.jsonl, line 2"):
        import_queries(project.config, file, now=project.now, load_encoder=load)
    assert logged_queries(project.store) == []


def test_searching_before_the_first_refresh_says_what_to_do(project: Project) -> None:
    with pytest.raises(PublicationNotFound, match="staleproof refresh"):
        project.search("anything")


def test_what_differs_between_two_publications(project: Project) -> None:
    for name in "abcd":
        project.write(f"{name}.md", f"# {name}\n\nText of {name}.\n")
    project.refresh()
    project.write("a.md", "# a\n\nOther text.\n")
    project.remove("b.md")
    project.write("e.md", "# e\n\nNew.\n")
    project.refresh()
    told = compare_publications(project.config, 1, 2)
    assert told["changed"] == ["docs/a.md"]
    assert told["deleted"] == ["docs/b.md"]
    assert told["added"] == ["docs/e.md"]


def test_spill_forgets_after_keep_days(project: Project) -> None:
    project.write("a.md", "# A\n\nFirst.\n")
    project.refresh()
    assert project.store.table("vectors").count_rows() == 1
    project.later(days=8)
    project.write("a.md", "# A\n\nSecond.\n")
    project.refresh()
    texts = project.store.table("vectors").to_arrow()
    assert texts.num_rows == 2, "the retired passage and the new one; the first row is old"
    assert newest(project.store).number == 2


def test_store_path_that_is_a_file_and_object_stores_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "store"
    file.write_text("not a folder")
    with pytest.raises(StoreError, match="is a file"):
        find_store(str(file))
    with pytest.raises(StoreError, match="object store"):
        find_store("s3://bucket/store")


def test_listing_that_broke_off_is_not_told_as_nothing_changed(project: Project) -> None:
    project.write("a.md", "# A\n\nText.\n")
    project.refresh()
    (project.root / "docs").rename(project.root / "away")
    report = project.refresh()
    assert "could not be listed" in str(report.reason)
    assert report.exit_code == 4


def test_estimate_is_not_misled_by_a_small_run(project: Project) -> None:
    for n in range(20):
        project.write(f"d{n}.md", f"# {n}\n\n" + f"word{n} " * 50)
    project.refresh()
    table = project.store.table("publications")
    slow = '{"embed_ms": 30000}'
    row = table.to_arrow().to_pylist()[0] | {"number": 2, "tokens_embedded": 5, "counts": slow}
    table.add([row])
    project.write("new.md", "# New\n\nA few more words.\n")
    now = project.now
    report = plan_knowledge(project.config, now=now, run_id="plan", ports=project.ports())
    assert report.estimate is not None
    assert report.estimate.seconds is not None
    assert report.estimate.seconds < 1


def test_who_waits_for_the_lock_says_for_whom_and_since_when(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(str(tmp_path / "store"), now=NOON)
    told, held = threading.Event(), threading.Event()

    def hold() -> None:
        with refresh_lock(store, run="run-9", now=NOON):
            held.set()
            told.wait(timeout=30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(timeout=30)
    threading.Timer(0.5, told.set).start()
    with caplog.at_level("INFO"), refresh_lock(store, run="run-10", now=NOON, wait_seconds=30):
        pass
    holder.join()
    [said] = [r.getMessage() for r in caplog.records if r.name == "pipelines.knowledge.store"]
    assert said.startswith("Waits up to 30 s for the lock of the store: another refresh holds it")
    assert "(run run-9, process " in said
    assert f"since {NOON.isoformat()})" in said
