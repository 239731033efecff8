"""A version of a quickly trained model that serves: its real weights, a stand-in that embeds."""

from dataclasses import replace
from pathlib import Path

from pipelines.embedding import fingerprint
from pipelines.fill import Answered, Asked
from pipelines.fill import Ports as FillPorts
from pipelines.knowledge import model_folder
from pipelines.promote import Ports, Promoted, Request, promote_model
from pipelines.records import Encoder
from tests.retrained import Registered
from tests.trained import MODEL, Trained


def ports_of(trained: Trained, version: str, registry: Registered | None = None) -> Ports:
    """What a promotion of a version meets: a stand-in embeds, and nobody else loads it."""
    project = trained.project

    def load(model: str, *, root: Path, batch_size: int = 32) -> Encoder:
        del batch_size
        if model != model_folder(MODEL, version):
            return project.encoder
        return replace(
            project.encoder, model=model, fingerprint=fingerprint(root / model), salt="t"
        )

    def answer(asked: Asked) -> Answered:
        del asked
        return Answered(0, 0)

    ports = Ports(fill=FillPorts(load_encoder=load, answer=answer))
    return ports if registry is None else replace(ports, registry=registry.port())


def let_in(trained: Trained, version: str, registry: Registered | None = None) -> Promoted:
    """Promotes it, as the command does; of a stand-in's registry where one is given."""
    project = trained.project
    project.later()
    done = promote_model(
        project.config,
        Request(model=MODEL, version=version),
        now=project.now,
        run_id=f"run-{next(project.runs)}",
        ports=ports_of(trained, version, registry),
    )
    assert done.promoted, done.reason
    return done
