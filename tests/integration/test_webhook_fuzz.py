"""Whatever is sent, as the receiver's own document describes it or not, no answer is a 5xx."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from pipelines.inbox import inbox_of
from tests.receiver import Receiver, configured

FUZZED = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Receiver:
    return Receiver(configured(tmp_path_factory.mktemp("fuzz")))


def operations(receiver: Receiver) -> dict[str, Any]:
    schema = schemathesis.openapi.from_asgi("/openapi.json", receiver.app)
    return {found.ok().label: found.ok() for found in schema.get_all_operations()}


@pytest.mark.parametrize(
    ("label", "mode"),
    [
        ("POST /hooks/{endpoint}", GenerationMode.POSITIVE),
        ("POST /hooks/{endpoint}", GenerationMode.NEGATIVE),
        ("GET /health", GenerationMode.POSITIVE),
        ("GET /metrics", GenerationMode.POSITIVE),
    ],
)
def test_document_can_be_followed_and_broken_without_a_5xx(
    receiver: Receiver, label: str, mode: GenerationMode
) -> None:
    operation = operations(receiver)[label]
    known = st.sampled_from([None, *(one.name for one in receiver.config.webhook.endpoints)])
    statuses = set()

    @FUZZED
    @given(operation.as_strategy(generation_mode=mode), known)
    def fuzz(case: Any, known: str | None) -> None:
        if known and case.path_parameters:
            case.path_parameters = {"endpoint": known}
        statuses.add(case.call().status_code)

    fuzz()
    assert statuses
    assert max(statuses) < 500
    assert inbox_of(receiver.config.store_uri).waiting() == {}


def test_every_operation_is_fuzzed(receiver: Receiver) -> None:
    assert set(operations(receiver)) == {"POST /hooks/{endpoint}", "GET /health", "GET /metrics"}
