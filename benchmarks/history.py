"""A model fitted on a real handbook as it was at the end of 2018, watched over the years after.

Needs a git bundle or repository with the branch `main`. Without `--project` a stand-in encodes, the
version learned from every passage of that day, and only what needs no model is watched, exposure
above all. With `--project`, the folder that `benchmarks.retrain --keep` leaves with its
first version in use, the trained model is watched, worth included. Nobody asks questions here: real
ones are the user's. Time is the history's own; in a project it begins where the project stands.
"""

import argparse
import functools
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.corpus import StandIn
from benchmarks.measure import head
from benchmarks.replay import project, refreshed, snapshots
from benchmarks.watch import NAME, Loads, ports, serving
from pipelines.config import Config, EmbedderModel, GitSource, WatchPolicy, load_config
from pipelines.embedding import load_encoder
from pipelines.knowledge import looks, newest, open_store
from pipelines.pages import watch_page, write_page
from pipelines.records import Encoder
from pipelines.watch import Ports, Watched, watch_models

FITTED = datetime(2018, 12, 31, tzinfo=UTC)
WITHOUT_MODEL = WatchPolicy(topic=0.1, novelty=0.2, changes=0.7, golden=0.0, worth=0.0)


def stand_in(root: Path, bundle: Path, commit: str, at: datetime) -> Config:
    """A project of a stand-in, whose version learned from all that is published at a commit."""
    config = project(root, bundle, commit).model_copy(
        update={"models": (EmbedderModel(name=NAME, watch=WITHOUT_MODEL),)}
    )
    for _ in refreshed(config, StandIn(), at):
        pass
    serving(root, config, at, every=1)
    return config


def watched(
    config: Config, encoder: Encoder, wanted: list[tuple[str, datetime]], tools: Ports
) -> Iterator[tuple[datetime, Watched]]:
    """Publishes each snapshot and looks at the model."""
    source = config.sources[0]
    if not isinstance(source, GitSource):
        raise SystemExit("the one source of the project is no git repository")
    for commit, at in wanted:
        here = config.model_copy(update={"sources": (source.model_copy(update={"ref": commit}),)})
        for _ in refreshed(here, encoder, at):
            pass
        report = watch_models(
            here, now=at + timedelta(hours=1), run_id=uuid.uuid4().hex[:12], ports=tools
        )
        yield at, report.models[0]


def told(at: datetime, one: Watched) -> str:
    """A row of the table."""
    if one.verdict is None:
        return f"| {at:%Y-%m-%d} | {one.said} |"
    worth = "-"
    if one.verdict.worth:
        worth = "{:+.3f} [{:+.2f}, {:+.2f}]".format(*one.verdict.worth)
    items = {signal.name: signal.items for signal in one.verdict.signals}
    asked = items.get("worth", 0)
    marks = next((s.evidence for s in one.verdict.signals if s.name == "changes"), 1.0)
    return (
        f"| {at:%Y-%m-%d} | {one.verdict.exposure:.3f} | {worth} | {asked} | {items.get('changes', 0)}"
        f" ({marks:.2g}) | {one.verdict.level} | {'; '.join(one.verdict.reasons)} |"
    )


def main(bundle: Path, made: Path | None, every: int, page: Path | None) -> None:
    """Prints a row for each look, and writes the page of the last one."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        found = snapshots(bundle, scratch / "bare")
        before = [one for one in found if one[1] <= FITTED]
        wanted = found[len(before) :: every]
        if made is None:
            config = stand_in(scratch, bundle, *before[-1])
            encoder: Encoder = StandIn()
            tools = ports(scratch, Loads())
        else:
            config = load_config(made / "staleproof.toml")
            last = newest(open_store(config.store_uri, now=datetime.now(UTC)))
            if last is None:
                raise SystemExit("nothing is published there")
            load = functools.cache(load_encoder)
            encoder, tools = load(last.model, root=made, batch_size=32), Ports(load_encoder=load)
            began = max(last.at, datetime.now(UTC))
            wanted = [(commit, began + (at - before[-1][1])) for commit, at in wanted]
        head(f"fitted {before[-1][1]:%Y-%m-%d}, {len(wanted)} looks, {encoder.model}")
        print("| published | exposure | worth | documents | changes (evidence) | verdict | why |")
        print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
        one: Watched | None = None
        for at, one in watched(config, encoder, wanted, tools):
            print(told(at, one), flush=True)
        if page is not None and one is not None and one.version is not None:
            store = open_store(config.store_uri, now=datetime.now(UTC))
            history = looks(store, one.model, one.version)
            write_page(page, watch_page(history, knowledge=config.knowledge.name))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--project", type=Path, help="what benchmarks.retrain --keep has left")
    parser.add_argument("--every", type=int, default=8, help="so many-th snapshot")
    parser.add_argument("--page", type=Path, help="a file for the page of the last look")
    given = parser.parse_args()
    main(given.bundle.absolute(), given.project, given.every, given.page)
