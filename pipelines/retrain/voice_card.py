"""The model card of a generator, as Markdown: names, hashes and numbers, never a document's text."""

from collections.abc import Mapping
from typing import Any

from pipelines.retrain.card_parts import (
    Card,
    around,
    costs_part,
    counted,
    data_part,
    ends,
    licence,
    limits_part,
    parameters_part,
    reproduce_part,
    table,
    verdict_part,
    whole_card,
)
from pipelines.training.generator.base import PACKAGED

MODELS = {
    "base": "base",
    "worked": "base with worked examples",
    "champion": "champion",
    "challenger": "challenger",
}
MEASURES = {
    "format": "form",
    "fact": "fact",
    "citation": "citation",
    "faithfulness": "follows a changed passage",
    "abstention": "abstains",
}
FORGETTING = {"sentences": "Plain sentences", "chat": "General answers of the base"}


def generator_card(card: Card) -> str:
    """What there is to know of a version before it is used."""
    parts = [
        _verdict(card),
        data_part(card),
        _base(card),
        _results(card),
        _domains(card),
        _forgetting(card),
        _use(card),
        _costs(card),
        parameters_part(card, "examples"),
        _limits(card),
        reproduce_part(card),
    ]
    return whole_card(card, parts)


def _verdict(card: Card) -> str:
    said = card.verdict["judgement"]
    against = card.champion or "the base with worked examples in its prompt"
    lines = [
        f"- Gain over {against}, score of answers to held-out questions: {around(said['gain'])}",
        *(
            f"- {title}: {_share(said['proportions'][name])}"
            for name, title in (("format", "Form"), ("faithfulness", "Follows a changed passage"))
            if name in said["proportions"]
        ),
        *(
            f"- Forgot, {title.lower()}: {_nats(said['forgetting'][name])}"
            for name, title in FORGETTING.items()
            if name in said["forgetting"]
        ),
        f"- Time for a token: {said['latency_ratio']:.2f} times that of {against}",
    ]
    return verdict_part(card, lines)


def _base(card: Card) -> str:
    lines = [
        "## Base",
        "",
        f"- `{card.base}`, licence {licence(card.base, card.base_folder)}",
        *([f"- Revision `{card.revision}`"] if card.revision else []),
        f"- Fingerprint of weights, tokenizer and chat template `{card.verdict['made_of']['base']}`",
    ]
    if card.base == PACKAGED:
        lines.append(
            "- SmolLM2-135M-Instruct from four bits a weight, opened out: not the weights that its"
            " authors released, and no measure of them"
        )
    return "\n".join(lines)


def _results(card: Card) -> str:
    said = card.verdict["judgement"]
    of_model = dict(said["others"]) | {"challenger": said["proportions"]}
    scored = card.verdict["intervals"].get("held_out", {})
    rows = [
        [words, ends(scored[model]), *(_cell(of_model[model].get(key)) for key in MEASURES)]
        for model, words in MODELS.items()
        if model in of_model and model in scored
    ]
    counts = {
        MEASURES[name]: one["n"] for name, one in said["proportions"].items() if name in MEASURES
    }
    head = ["model", "score", *MEASURES.values()]
    told = (
        "Answers to questions of held-out documents, decoded greedily, in 95 % intervals: bootstrap"
        " over documents for the score (form times token F1 of the fact), Clopper-Pearson for"
        f" shares. Questions: {counted(counts)}."
    )
    return "\n\n".join(["## Results", told, table(head, rows)])


def _domains(card: Card) -> str:
    found = card.verdict["metrics"].get("by_domain", {})
    models = [m for m in MODELS if any(m in means for means in found.values())]
    rows = [
        [name, f"{means['challenger']['questions']:,}"]
        + [_number(means.get(m, {}).get("answer")) for m in models]
        for name, means in found.items()
    ]
    gains = [
        f"- Gain in {name}: {around(one)}"
        for name, one in card.verdict["judgement"]["domains"].items()
    ]
    head = ["domain", "n", *(MODELS[m] for m in models)]
    return "\n\n".join(["### By domain", table(head, rows), "\n".join(gains)])


def _forgetting(card: Card) -> str:
    lines = [
        f"- {title}: {_nats(card.verdict['judgement']['forgetting'][name])}"
        for name, title in FORGETTING.items()
        if name in card.verdict["judgement"]["forgetting"]
    ]
    told = "Nats a token that it is more surprised than the base; less is better."
    return "\n\n".join(["### Forgetting", told, "\n".join(lines)])


def _use(card: Card) -> str:
    name = card.verdict["model"]
    return "\n".join(
        [
            "## To use it",
            "",
            f"`staleproof models export {name} VERSION --to FOLDER` writes the adapter,"
            " `--merged` base and adapter in one. The name of a version is served"
            f" (`{name}@VERSION`), and no weights are ever replaced under it: a server that keeps"
            " what it computed of a prompt would go on with the former ones.",
            "",
            "It was trained to answer from numbered passages in the prompt. Without them it answers"
            " from memory, in the same firm tone.",
        ]
    )


def _costs(card: Card) -> str:
    evaluated = card.verdict["measured"]["evaluate"]
    sizes, rates = evaluated["size_bytes"], evaluated.get("tokens_a_second", {})
    rows = [
        [
            MODELS.get(model, model),
            f"{milliseconds:.1f}",
            f"{rates[model]:.0f}" if model in rates else "-",
            f"{sizes[model] / 1e6:,.1f}" if model in sizes else "-",
        ]
        for model, milliseconds in sorted(evaluated["latency_ms"].items())
    ]
    told = "One answer at a time with its prompt, adapters merged into the base; in batches, not merged."
    head = ["model", "ms a token", "tokens a second in batches", "MB"]
    peaks = {
        "while training": card.verdict["measured"]["train"],
        "while answering": evaluated,
    }
    return costs_part(card, f"{told}\n\n{table(head, rows)}", peaks)


def _limits(card: Card) -> str:
    of_kind = (
        "It carries form and tone. Facts come from the passages in the prompt; what it says"
        " without any is not to be relied on.",
        "A changed passage is made by swapping the digits of one fact; real changes are of other"
        " kinds too.",
        "Intervals of shares take each answer by itself, though several rest on one document: they"
        " are narrower than they should be. Those of differences draw whole documents.",
    )
    since = "What it has learned by heart all the same is watched: staleproof watch."
    return limits_part(card, of_kind, since)


def _share(one: Mapping[str, Any]) -> str:
    return f"{_cell(one)} of {one['n']:,} answers"


def _cell(one: Mapping[str, Any] | None) -> str:
    return "-" if one is None else ends(one, "share")


def _nats(one: Mapping[str, Any]) -> str:
    return (
        f"{one['mean']:+.3f} [{one['lower']:+.3f}, {one['upper']:+.3f}] nats a token,"
        f" {one['questions']:,} texts"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
