"""Golden questions on the demo's handbook, with and without what is embedded before a passage.

A passage is right where it stands in the right document below the right heading; a document is
right by its uri alone.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.corpus import passages
from benchmarks.measure import head, row
from benchmarks.real_model import HANDBOOK, MODEL
from pipelines.embedding import load_encoder
from pipelines.records import Vectors

QUESTIONS = HANDBOOK.parent / "golden/questions.jsonl"
CUTS = (1, 5, 10)


def rank(scores: Vectors, right: list[bool]) -> float:
    """1-based rank of the best right passage, infinite where there is none."""
    order = np.argsort(-scores, kind="stable")
    hits = np.flatnonzero(np.asarray(right)[order])
    return float(hits[0]) + 1 if len(hits) else float("inf")


def rank_of_document(scores: Vectors, uris: list[str], right: str) -> float:
    """1-based rank of a document among documents, each by its best passage."""
    best: dict[str, float] = {}
    for score, uri in zip(scores.tolist(), uris, strict=True):
        best[uri] = max(best.get(uri, -1.0), score)
    return 1.0 + sum(score > best[right] for score in best.values())


def told(ranks: list[float]) -> str:
    """Recall at each cut, and the mean of reciprocal ranks within the last one."""
    recall = [f"@{k} {np.mean([r <= k for r in ranks]):.3f}" for k in CUTS]
    mrr = np.mean([1 / r if r <= CUTS[-1] else 0.0 for r in ranks])
    return f"{' '.join(recall)}, MRR@{CUTS[-1]} {mrr:.3f}"


def main(model: str) -> None:
    """Measures and prints."""
    encoder = load_encoder(model, root=Path.cwd())
    cut = passages(HANDBOOK, encoder)
    questions = [json.loads(line) for line in QUESTIONS.read_text().splitlines()]
    asked = [encoder.encode_query(question["question"]) for question in questions]
    uris = [f"{HANDBOOK.name}/{path}" for path, _ in cut]
    head(f"{len(questions)} golden questions, {len(cut)} passages, {model}")
    texts = {
        "with title and headings": [chunk.embedded for _, chunk in cut],
        "passage alone": [chunk.text for _, chunk in cut],
    }
    for name, embedded in texts.items():
        vectors = encoder.encode(embedded)
        by_passage, by_document = [], []
        for question, vector in zip(questions, asked, strict=True):
            scores = vectors @ vector
            right = [
                uri == question["uri"] and question["heading"] in chunk.heading_path
                for uri, (_, chunk) in zip(uris, cut, strict=True)
            ]
            by_passage.append(rank(scores, right))
            by_document.append(rank_of_document(scores, uris, question["uri"]))
        row(f"recall, {name}", told(by_passage), f"by document {told(by_document)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=MODEL)
    main(parser.parse_args().model)
