"""The flows promote and fill on a real server: what a run says when it ended."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.objects import FlowRun, State

from flows.fill import fill_knowledge
from flows.promote import promote_version
from pipelines import promote
from pipelines.records import Vectors
from tests.fakes import HashEncoder
from tests.flows.runs import ON_SERVER, events_of
from tests.project import source
from tests.retrained import BAD, MODEL, Retrained, retrained, tuned

pytestmark = [*ON_SERVER, pytest.mark.slow]


class TooLong(HashEncoder):
    """A model whose vectors are not of length one, which the audit refuses."""

    def encode(self, texts: Any) -> Vectors:
        return super().encode(texts) * 2


@pytest.fixture
def project(tmp_path: Path) -> Retrained:
    return retrained(tmp_path, documents=3)


def ran(body: Any) -> tuple[State[Any], FlowRun]:
    state = asyncio.run(body(return_state=True))
    assert state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        return state, client.read_flow_run(state.state_details.flow_run_id)


def promoted(project: Retrained, version: str = "v0.0.1") -> tuple[State[Any], FlowRun]:
    request = promote.Request(model=MODEL, version=version, actor="somebody")
    ports = promote.Ports(project.registry.port(), project.fill_ports())

    @flow(name="promote", persist_result=False)
    async def body() -> State[Any]:
        return await promote_version(project.config.path, request, ports=ports, retries=0)

    return ran(body)


def filled(project: Retrained) -> tuple[State[Any], FlowRun]:
    @flow(name="fill", persist_result=False)
    async def body() -> State[Any]:
        return await fill_knowledge(project.config.path, ports=project.fill_ports(), retries=0)

    return ran(body)


def test_version_that_serves_is_told_and_named(project: Retrained) -> None:
    state, run = promoted(project)
    assert (state.name, run.name) == ("Completed", f"promote {MODEL} v0.0.1")
    assert state.message == f"{MODEL} v0.0.1 serves. Readers see #2."
    assert [name for name, _, _ in events_of(run.id)] == ["staleproof.model.promoted"]


def test_version_that_the_gate_refused_is_told_how_to_let_it_in(project: Retrained) -> None:
    project.registry.verdicts["v0.0.1"] = BAD
    state, run = promoted(project)
    assert (state.name, run.name) == ("Refused", f"promote {MODEL} v0.0.1 refused")
    assert "it loses in finance" in (state.message or "")
    assert "override" in (state.message or "")


def test_version_that_the_audit_refused_is_not_told_to_override(project: Retrained) -> None:
    """An override is against the gate: the audit would refuse it again."""
    plain = tuned("v0.0.1")
    project.encoders[plain.model] = TooLong(
        fingerprint=plain.fingerprint, model=plain.model, salt=plain.salt
    )
    state, run = promoted(project)
    assert (state.name, run.name) == ("Refused", f"promote {MODEL} v0.0.1 refused")
    assert "vector_has_unit_norm" in (state.message or "")
    assert "Readers see #1." in (state.message or "")
    assert "override" not in (state.message or "")


def test_unknown_version_fails_at_once_with_what_readers_see(project: Retrained) -> None:
    state, run = promoted(project, "v9")
    assert (state.name, run.name) == ("Failed", f"promote {MODEL} v9 failed, unknown name")
    assert "no version v9 Readers see #1." in (state.message or "").replace("v9.", "v9")


def test_fill_with_the_model_that_serves_is_no_refusal(project: Retrained) -> None:
    project.configure(source(), more=f'[embedder]\nmodel = "{project.last.model}"')
    state, run = filled(project)
    assert (state.name, run.name) == ("Nothing changed", f"fill {project.config.knowledge.name}")
    assert state.message == f"{project.last.model} serves already. Readers see #1."


def test_fill_over_a_promoted_version_says_how_to_take_that_back(project: Retrained) -> None:
    project.promote()
    project.configure(source(), more='[embedder]\nmodel = "other"')
    state, _ = filled(project)
    assert state.name == "Failed"
    assert f"staleproof demote {MODEL}" in (state.message or "")
