"""The model card of an embedder, as Markdown: names, hashes and numbers, never a document's text."""

from pipelines.embedding.weights import BUILT_IN_SHA256
from pipelines.retrain.card_parts import (
    Card,
    around,
    costs_part,
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

MODELS = ("base", "champion", "challenger")
MEASURES = {"recall_5": "recall@5", "recall_10": "recall@10", "ndcg_10": "nDCG@10"}
SETS = {
    "held_out": "Held-out documents",
    "golden": "Golden questions",
    "general": "Other subjects (forgetting)",
}


def model_card(card: Card) -> str:
    """What there is to know of a version before it is used."""
    parts = [
        _verdict(card),
        data_part(card),
        _base(card),
        _numbers(card),
        _parts(card),
        _costs(card),
        parameters_part(card),
        _limits(card),
        reproduce_part(card),
    ]
    return whole_card(card, parts)


def _verdict(card: Card) -> str:
    said = card.verdict["judgement"]
    against = card.champion or "the base"
    lines = [
        f"- Gain over {against}, MRR@10 on held-out questions: {around(said['gain'])}",
        f"- Against the base on other subjects: {around(said['general'])}",
        f"- Time for a question: {said['latency_ratio']:.2f} times that of {against}",
    ]
    return verdict_part(card, lines)


def _base(card: Card) -> str:
    lines = [
        "## Base",
        "",
        f"- `{card.base}`, licence {licence(card.base, card.base_folder)}",
        f"- Fingerprint `{card.verdict['made_of']['base']}`",
    ]
    if card.base_folder is None:
        lines.append(f"- SHA-256 of its weights `{BUILT_IN_SHA256}`")
    return "\n".join(lines)


def _numbers(card: Card) -> str:
    rows, gains = [], []
    for name, title in SETS.items():
        found = card.verdict["metrics"].get(name)
        if found is None:
            continue
        for model in (m for m in MODELS if m in found["models"]):
            one, interval = found["models"][model], card.verdict["intervals"][name][model]
            rows.append(
                [title, model, f"{one['questions']:,}", ends(interval)]
                + [f"{one[key]:.3f}" for key in MEASURES]
            )
        gains += [
            f"- {title}: challenger minus {other} {around(found[f'over_{other}'])}"
            for other in MODELS
            if f"over_{other}" in found
        ]
    head = ["questions", "model", "n", "MRR@10 (95 %)", *MEASURES.values()]
    return "\n\n".join(["## Results", table(head, rows), "\n".join(gains)])


def _parts(card: Card) -> str:
    """Means by domain and by kind of question, and the intervals that the gate judged by."""
    judged = card.verdict["judgement"]["domains"]
    parts = []
    for key, title in (("domain", "By domain"), ("kind", "By kind of question")):
        found = card.verdict["metrics"][f"by_{key}"]
        models = [m for m in MODELS if any(m in means for means in found.values())]
        rows = [
            [name, f"{means[models[0]]['questions']:,}"]
            + [f"{means[m]['reciprocal_rank']:.3f}" for m in models]
            for name, means in found.items()
        ]
        head = [key, "n", *(f"{m}, MRR@10" for m in models)]
        parts.append(f"### {title}\n\n{table(head, rows)}")
    gains = [f"- Gain in {name}: {around(one)}" for name, one in judged.items()]
    return "\n\n".join([*parts[:1], "\n".join(gains), *parts[1:]])


def _costs(card: Card) -> str:
    evaluated = card.verdict["measured"]["evaluate"]
    rows = [
        [m, f"{evaluated['latency_ms'][m]:.1f}", f"{evaluated['size_bytes'][m] / 1e6:,.1f}"]
        for m in MODELS
        if m in evaluated["latency_ms"]
    ]
    figures = table(["model", "ms a question", "MB"], rows)
    return costs_part(card, figures, {"while training": card.verdict["measured"]["train"]})


def _limits(card: Card) -> str:
    asked = (
        "Questions are made of headings and references of the documents, and of golden ones: they"
        " stand for what people ask, and are not it."
    )
    since = "What changed since is found by the index, not by the model."
    return limits_part(card, [asked], since)
