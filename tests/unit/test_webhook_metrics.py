"""Metrics of the receiver: what Prometheus reads of sources, inbox and deliveries."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flows.webhook.metrics import CACHE_SECONDS, Metrics
from tests.project import Project
from tests.receiver import Receiver, configured, endpoint

Labels = frozenset[tuple[str, str]]


def read(text: str) -> dict[tuple[str, Labels], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: dict[tuple[str, Labels], float], name: str, **labels: str) -> float | None:
    return found.get((f"staleproof_{name}", frozenset(labels.items())))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One whose two sources are the same folder."""
    configured(tmp_path, endpoint("of-github", "github"))
    project = Project(tmp_path)
    project.write("leave.md", "# Leave\n\nLeave of 25 days.\n")
    return project


def test_without_a_store_there_is_the_inbox_alone(tmp_path: Path) -> None:
    receiver = Receiver(configured(tmp_path))
    before = read(receiver.get("/metrics").text)
    assert of(before, "inbox_sources") == of(before, "inbox_oldest_age_seconds") == 0
    assert of(before, "knowledge_health", knowledge="kb", state="unknown") is None
    for id in ("one", "two"):
        receiver.deliver("github", id)
    receiver.now += timedelta(minutes=2)
    after = read(receiver.get("/metrics").text)
    assert of(after, "inbox_sources") == 1
    assert of(after, "inbox_deliveries") == 2
    assert of(after, "inbox_oldest_age_seconds") == 120
    assert of(after, "inbox_readable") == of(after, "store_readable") == 1
    assert not Path(receiver.config.store_uri, "chunks.lance").exists()


def test_deliveries_are_counted_by_endpoint_and_outcome(tmp_path: Path) -> None:
    receiver = Receiver(configured(tmp_path))

    def count(endpoint: str, outcome: str) -> float | None:
        found = read(receiver.get("/metrics").text)
        return of(found, "webhook_deliveries_total", endpoint=endpoint, outcome=outcome)

    assert count("of-github", "accepted") == 0, "so that the first is seen as one more"
    receiver.deliver("github")
    receiver.deliver("github")
    receiver.post("of-github")
    for name in ("this", "that", "_unknown"):
        receiver.post(name)
    assert count("of-github", "accepted") == 1
    assert count("of-github", "known") == 1
    assert count("of-github", "refused") == 1
    assert count("_unknown", "refused") == 3
    assert "this" not in receiver.get("/metrics").text


def test_sources_are_as_status_says(project: Project) -> None:
    project.refresh()
    project.write("leave.md", "# Leave\n\nLeave of 30 days.\n")
    edited = project.now.timestamp() + 300
    os.utime(project.root / "docs" / "leave.md", (edited, edited))
    project.refresh()  # ten minutes after the one before
    receiver = Receiver(project.config, now=project.now)
    deleted = of(read(receiver.get("/metrics").text), "deletion_lag_seconds", quantile="1")
    assert deleted is None, "nothing was deleted"
    answer = receiver.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = read(answer.text)
    docs = {"knowledge": "kb", "source": "docs"}
    as_of = of(found, "data_as_of_timestamp_seconds", **docs)
    assert as_of == pytest.approx(project.now.timestamp())
    assert of(found, "knowledge_data_as_of_timestamp_seconds", knowledge="kb") == as_of
    assert of(found, "last_complete_scan_timestamp_seconds", **docs) == as_of
    assert of(found, "documents", **docs) == 1
    for name in ("pending_documents", "held_documents", "quarantined_documents"):
        assert of(found, name, **docs) == 0
    for quantile in ("0.5", "0.95", "1"):
        lag = of(found, "lag_seconds", **docs, quantile=quantile)
        assert lag == pytest.approx(300, abs=120)
    assert of(found, "publication", knowledge="kb") == 2
    states = ("healthy", "warning", "degraded", "unknown")
    of_docs = [of(found, "source_health", **docs, state=state) for state in states]
    assert of_docs == [1, 0, 0, 0]
    whole = [of(found, "knowledge_health", knowledge="kb", state=state) for state in states]
    assert sum(value or 0 for value in whole) == 1


def test_what_waits_and_what_failed_is_counted(project: Project) -> None:
    project.write("broken.md", b"\xff\xfe\x00 no text")
    project.refresh()
    found = read(Receiver(project.config, now=project.now).get("/metrics").text)
    assert of(found, "quarantined_documents", knowledge="kb", source="docs") == 1


def test_status_is_read_at_most_once_in_a_while(project: Project) -> None:
    project.refresh()
    seconds = 0.0
    metrics = Metrics(project.config, lambda: project.now, lambda: seconds)

    def documents() -> float | None:
        return of(read(metrics.text().decode()), "documents", knowledge="kb", source="docs")

    assert documents() == 1
    project.write("more.md", "# More\n\nMore days.\n")
    project.refresh()
    assert documents() == 1
    seconds = CACHE_SECONDS
    assert documents() == 2


def test_store_that_cannot_be_read_is_told_and_the_rest_goes_on(project: Project) -> None:
    project.refresh()
    for file in Path(project.config.store_uri).rglob("*.manifest"):
        file.write_bytes(b"broken")
    found = read(Receiver(project.config, now=project.now).get("/metrics").text)
    assert of(found, "store_readable") == 0
    assert of(found, "inbox_readable") == 1
