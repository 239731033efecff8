"""Commands about fine-tuned models: train, look, let in, take back."""

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App
from rich.console import Console
from rich.text import Text

from flows.cli import generators, versions
from flows.cli.arguments import Labels, split_labels, waiting_seconds
from flows.cli.doors import Answer, Given, Session, actor, console_for
from flows.cli.words import counted

if TYPE_CHECKING:
    from pipelines.fill import FillEstimate
    from pipelines.promote import Ports

models_app = App(name="models", help="Versions of fine-tuned models, and which one serves.")

PATIENCE_SECONDS = 600.0
"""For a refresh that holds the store when readers are to be switched."""


@models_app.default
def models(*, session: Given) -> Answer:
    """List every version: whether it serves, what the gate and the last look said."""
    from pipelines.models import list_models

    return Answer(list_models(session.config()), versions.show_models)


@models_app.command
def show(
    model: str,
    version: str | None = None,
    /,
    *,
    labels: Labels = (),
    session: Given,
) -> Answer:
    """Show one version: its model card, verdict and parameters; of a generator three answers too.

    Args:
        model: Its name in the configuration.
        version: Such as v0.0.2; the one that serves, if left out, else the newest.
        labels: What the reader holds besides public, separated by commas: whose answers are shown.
        session: Of this call.
    """
    from pipelines.models import show_model

    held = split_labels(labels)
    return Answer(show_model(session.config(), model, version, labels=held), versions.show_version)


@models_app.command
def diff(model: str, first: str, second: str, /, *, session: Given) -> Answer:
    """Show what two versions differ in: documents, parameters, numbers.

    Args:
        model: Its name in the configuration.
        first: The version to start from.
        second: The other one.
        session: Of this call.
    """
    from pipelines.models import diff_models

    return Answer(diff_models(session.config(), model, first, second), versions.show_diff)


@models_app.command
def export(
    model: str,
    version: str | None = None,
    /,
    *,
    to: Path,
    merged: bool = False,
    session: Given,
) -> Answer:
    """Write the weights of a version into a folder, for another program to serve.

    Args:
        model: Its name in the configuration.
        version: Such as v0.0.2; the newest, if left out.
        to: The folder to make.
        merged: Of a generator: base and adapter in one model.
        session: Of this call.
    """
    from pipelines.models import export_model

    done = export_model(session.config(), model, version, to=to, merged=merged)
    return Answer(done, generators.show_exported)


@models_app.command
def compare(first: str, second: str, /, *, session: Given) -> Answer:
    """Ask any two embedders your golden questions, over what is published.

    Args:
        first: A version (NAME@v0.0.1), or any model that [embedder] model could name.
        second: The other one.
        session: Of this call.
    """
    from flows.cli.progress import shown_progress
    from pipelines.models import compare_models

    with shown_progress() as listen:
        data = compare_models(
            session.config(),
            first,
            second,
            now=session.now,
            run_id=session.new_run(),
            load_encoder=session.ports_used().load_encoder,
            on_event=listen,
        )
    return Answer(data, versions.show_comparison)


def retrain(
    model: str, /, *, plan: bool = False, reason: str = "", wait: str | None = None, session: Given
) -> Answer:
    """Train a new version on what is published today, and have the gate judge it.

    Args:
        model: Its name in the configuration.
        plan: Only say what it would learn from, take and cost.
        reason: Why; it is kept with the version.
        wait: How long to wait for another run that trains, e.g. 5m, 1h.
        session: Of this call.
    """
    from flows.cli.progress import shown_progress
    from pipelines.promote import mend_stages
    from pipelines.retrain import Asked, plan_retrain, retrain_model

    config, run = session.config(), session.new_run()
    if plan:
        planned = plan_retrain(config, model, now=session.now, run_id=run)
        return Answer(planned.to_dict(), versions.show_planned)
    asked = Asked(reason=reason, wait_seconds=waiting_seconds(wait))
    mend_stages(config)  # what an earlier run could not do
    with shown_progress() as listen:
        report = retrain_model(
            config, model, now=session.now, run_id=run, asked=asked, on_event=listen
        )
    return Answer(report.to_dict(), versions.show_retrained, report.exit_code)


def promote(
    model: str,
    version: str,
    /,
    *,
    plan: bool = False,
    override: bool = False,
    reason: str = "",
    session: Given,
) -> Answer:
    """Let a version in: try it, or embed all passages with it, then switch readers at once.

    Args:
        model: Its name in the configuration.
        version: Such as v0.0.2.
        plan: Only say what embedding would take and cost.
        override: Whatever the gate said.
        reason: Why; an override needs one.
        session: Of this call.
    """
    from flows.cli.progress import shown_progress
    from pipelines.promote import Request, estimate_promotion, promote_model, why_refused

    config, ports = session.config(), _ports(session)
    request = Request(
        model=model,
        version=version,
        actor=actor(),
        override=override,
        reason=reason,
        wait_seconds=PATIENCE_SECONDS,
    )
    if plan:
        estimate = estimate_promotion(config, request, now=session.now, ports=ports)
        return Answer(estimate.to_dict(), versions.show_fill_estimate)
    if not session.json and why_refused(config, request, ports=ports) is None:
        _announce(estimate_promotion(config, request, now=session.now, ports=ports), session)
    with shown_progress() as listen:
        done = promote_model(
            config,
            request,
            now=session.now,
            run_id=session.new_run(),
            on_event=listen,
            ports=ports,
        )
    return Answer(done.to_dict(), versions.show_promoted, done.exit_code)


def demote(model: str, /, *, session: Given) -> Answer:
    """Take back a promotion: the version before serves again, at once.

    Args:
        model: Its name in the configuration.
        session: Of this call.
    """
    from pipelines.promote import demote_model, mend_stages

    config = session.config()
    done = demote_model(config, model, signed=session.signed())
    mend_stages(config)
    return Answer(done.to_dict(), versions.show_demoted)


def fill(*, plan: bool = False, abort: bool = False, session: Given) -> Answer:
    """Move the knowledge base to the embedder that the configuration names.

    Args:
        plan: Only say what embedding would take and cost.
        abort: Give up every fill, also that of a promotion, and remove what it has embedded.
        session: Of this call.
    """
    from flows.cli.progress import shown_progress
    from pipelines.fill import abort_fill, configured_embedder, estimate_fill, fill_generation

    config = session.config()
    if abort:
        removed = abort_fill(config, now=session.now, run_id=session.new_run())
        return Answer({"aborted": True, "removed": removed}, _show_aborted)
    ports, wanted = _ports(session).fill, configured_embedder(config, actor=actor())
    estimate = estimate_fill(config, wanted=wanted, now=session.now, ports=ports)
    if plan:
        return Answer(estimate.to_dict(), versions.show_fill_estimate)
    _announce(estimate, session)
    with shown_progress() as listen:
        done = fill_generation(
            config,
            wanted=wanted,
            now=session.now,
            run_id=session.new_run(),
            on_event=listen,
            ports=ports,
        )
    return Answer(done.to_dict(), versions.show_filled, 0 if done.serves else 3)


def reproduce(model: str, version: str, /, *, session: Given) -> Answer:
    """Make a version once more from its commit and its data alone, and compare.

    Args:
        model: Its name in the configuration.
        version: Such as v0.0.2.
        session: Of this call.
    """
    from flows.cli.progress import shown_progress
    from pipelines.registry import find_version, reproduce_version
    from pipelines.retrain import progress_of

    config = session.config()
    found = find_version(config.root, config.model(model).name, version)
    with shown_progress() as listen:

        def on_line(line: str) -> None:
            moved = progress_of(line)
            if moved is not None:
                listen(moved)

        done = reproduce_version(config.root, found, on_line)
    same = done.metrics_equal and done.weights_equal
    data = dataclasses.asdict(done) | {"model": model, "version": found.version, "same": same}
    return Answer(data, _show_reproduced, 0 if same else 3)


def _ports(session: Session) -> "Ports":
    from pipelines.fill import Ports as FillPorts
    from pipelines.promote import Ports

    used = session.ports_used()
    return Ports(fill=FillPorts(load_encoder=used.load_encoder, write=used.write))


def _announce(estimate: "FillEstimate", session: Session) -> None:
    """Hours and money, before they are spent."""
    if not session.json:
        console = console_for(stderr=True)
        versions.show_fill_estimate(console, estimate.to_dict(), session.now)


def _show_aborted(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    removed = counted(data["removed"], "embedded passage")
    console.print(f"No fill goes on; {removed} removed. Readers noticed nothing.")


def _show_reproduced(console: Console, data: dict[str, Any], now: datetime) -> None:
    del now
    name = f"{data['model']} {data['version']}"
    if data["same"]:
        console.print(f"{name}: the same metrics, the same weights, byte for byte.")
        return
    for line in data["differences"]:
        console.print(Text(f"  {line}", "yellow"), soft_wrap=True)
    if not data["erased"]:
        said = (
            f"{what} {'the same' if data[key] else 'not the same'}"
            for what, key in (("metrics", "metrics_equal"), ("weights", "weights_equal"))
        )
        console.print(f"{name}: {', '.join(said)}.")
