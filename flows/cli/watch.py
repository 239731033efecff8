"""Command watch: is a model that serves still worth having, and what says so."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from flows.cli import watched
from flows.cli.arguments import Labels, split_labels
from flows.cli.doors import Answer, Given, Session
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.config import AnyWatch, Config
    from pipelines.records import Happened, Progress
    from pipelines.watch import Ports, Watched

TABLE = ("models", "watch")
Policies = Annotated[tuple[Path, ...], Parameter(show_default=False)]
"""Files, after one ``--policy`` each."""


def watch(
    model: str | None = None,
    /,
    *,
    explain: bool = False,
    labels: Labels = (),
    html: Path | None = None,
    replay: bool = False,
    policy: Policies = (),
    session: Given,
) -> Answer:
    """Look at the models that serve: fresh, watch or stale; exit code 3 where one is stale.

    Args:
        model: Its name in the configuration; all of them, if left out.
        explain: Say which documents and domains, and what would have to happen for the next level.
        labels: With --explain, what the reader of titles holds besides public, separated by commas.
        html: Write the looks at MODEL into this file too, as a page that works without a network.
        replay: Look at nothing; say what the policy would have said at each look that was kept.
        policy: With --replay, files with another [models.watch] each, to be set beside it.
        session: Of this call.
    """
    _refuse_mixtures(explain=explain, html=html, replay=replay, policy=policy)
    if labels and not explain:
        raise ConfigError("--labels goes with --explain only: nothing else shows a title.")
    config = session.config()
    names = [config.model(model).name] if model else [one.name for one in config.models]
    if replay:
        return _replayed(config, names, policy, session)
    if html is not None and len(names) != 1:
        known = ", ".join(names) or "none"
        raise ConfigError("--html writes the page of one model.", hint=f"Name it: {known}.")
    reader = split_labels(labels) if explain else None
    return _looked(config, names, html, session, reader=reader)


def _refuse_mixtures(
    *, explain: bool, html: Path | None, replay: bool, policy: tuple[Path, ...]
) -> None:
    if policy and not replay:
        raise ConfigError("--policy goes with --replay only: a look follows the configuration.")
    for option, is_given in (("--explain", explain), ("--html", html is not None)):
        if replay and is_given:
            raise ConfigError(f"--replay and {option} do not go together.")


def _looked(
    config: "Config",
    names: list[str],
    html: Path | None,
    session: Session,
    *,
    reader: frozenset[str] | None,
) -> Answer:
    from flows.cli.progress import shown_progress
    from pipelines.watch import watch_models

    with shown_progress() as listen:
        report = watch_models(
            config,
            tuple(names),
            now=session.now,
            run_id=session.new_run(),
            on_event=_told(config, session, listen),
            ports=_ports(session),
        )
    if report.error is not None:  # the others were looked at; what was found is kept
        raise report.error
    data = report.to_dict()
    data["page"] = None if html is None else _write(html, report.models[0], config)
    if reader is None:
        return Answer(data, watched.show_watched, report.exit_code)
    for one, of in zip(data["models"], report.models, strict=True):
        one.update(_seen(of, config, reader))
    return Answer(data, watched.show_explained, report.exit_code)


def _seen(of: "Watched", config: "Config", reader: frozenset[str]) -> dict[str, Any]:
    """Documents, domains and groups of questions, and the titles that the reader may see."""
    from pipelines.pages import asked_about, newest_exposure, newest_moved
    from pipelines.watch import titles_for

    exposed, moved = newest_exposure(of.history), newest_moved(of.history)
    uris = {one["uri"] for one in exposed["documents"]} if exposed else set()
    held = asked_about(of.history)
    uris |= {uri for one in moved for uri in one["documents"]} | {one["uri"] for one in held}
    titles = titles_for(config, uris, labels=reader) if uris else {}
    return {"exposed": exposed, "held": held, "moved": moved, "titles": titles}


def _write(html: Path, of: "Watched", config: "Config") -> str | None:
    """Where the page is now; None where the model was never looked at."""
    from pipelines.pages import watch_page, write_page

    if not of.history:
        return None
    write_page(html, watch_page(of.history, knowledge=config.knowledge.name))
    return str(html)


def _ports(session: Session) -> "Ports":
    from pipelines.watch import Ports

    return Ports(load_encoder=session.ports_used().load_encoder)


def _told(
    config: "Config", session: Session, listen: Callable[["Progress | Happened"], None]
) -> Callable[["Progress | Happened"], None]:
    """Draws progress, and tells a server of what happened where one is known."""
    from flows.announce import tell_server
    from pipelines.records import Happened

    def on_event(event: "Progress | Happened") -> None:
        if isinstance(event, Happened):
            tell_server(config, event, at=session.now)
        else:
            listen(event)

    return on_event


def _replayed(
    config: "Config", names: list[str], files: tuple[Path, ...], session: Session
) -> Answer:
    from pipelines.watch import replay

    told: list[dict[str, Any]] = []
    for name in names:
        policies = _policies(config.model(name).watch, files)
        told.append(
            replay(config, name, policies, now=session.now, ports=_ports(session)).to_dict()
        )
    return Answer({"models": told}, watched.show_replayed)


def _policies(now: "AnyWatch", files: tuple[Path, ...]) -> "Mapping[str, AnyWatch]":
    """The one in force and those of the files, by the names that the table shows."""
    from pipelines.config import read_table

    policies = {"in force": now}
    for file in files:
        name = str(file) if file.stem in policies else file.stem
        policies[name] = read_table(file, TABLE, now)
    return policies
