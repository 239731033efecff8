"""Loads the next embedder as a serving process would, and lets it answer the golden questions.

``python -P -m pipelines.fill.answers ASKED`` does so in a process of its own.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.config import Config, load_config
from pipelines.embedding import load_encoder
from pipelines.errors import FillFailed, StaleproofError
from pipelines.fill.records import Answered, Asked
from pipelines.knowledge import (
    Filter,
    Next,
    State,
    Store,
    find_store,
    newest,
    published_documents,
    search_state,
)
from pipelines.quality import TOP, read_canaries
from pipelines.records import Encoder, LoadEncoder

SIMILAR = 0.9999
"""Cosine of a stored vector and one made again: batches of other sizes round differently."""
PASSAGES = 5
"""Embedded again, to see that it is this model that made them."""
SECONDS = 600


def load_next(
    config: Config, coming: Next, *, load: LoadEncoder = load_encoder
) -> tuple[Encoder, Answered]:
    """What a process that serves does when it hears what is about to serve.

    Raises:
        StaleproofError: The model cannot be loaded, or is another than was announced.
    """
    encoder = load(coming.model, root=config.root, batch_size=config.embedder.batch_size)
    asked = Asked(
        config=config.path,
        model=coming.model,
        fingerprint=coming.fingerprint,
        generation=coming.generation,
        version=coming.version,
    )
    return encoder, answer(config, asked, encoder)


def answer(config: Config, asked: Asked, encoder: Encoder) -> Answered:
    """Answers the golden questions from a state that nobody reads yet.

    Raises:
        FillFailed: The model is another one, or does not give the vectors of the state.
    """
    store = find_store(config.store_uri)
    if store is None:
        raise FillFailed(f"There is no store at {config.knowledge.store}.")
    if encoder.fingerprint != asked.fingerprint:
        raise FillFailed(
            f"The weights of {asked.model} changed while they were being embedded with."
        )
    state = asked.generation, asked.version
    _check_vectors(store, state, encoder, asked.model)
    canaries = read_canaries(config.golden)
    last = newest(store)
    only = Filter(_all_labels(store, state), last.withheld if last else ())
    found = 0
    for canary in canaries:
        rows = search_state(store, state, encoder.encode_query(canary.question), k=TOP, only=only)
        found += any(row["uri"] == canary.uri for row in rows)
    return Answered(len(canaries), found)


def _check_vectors(store: Store, state: State, encoder: Encoder, model: str) -> None:
    columns = ["prefix", "text", "vector"]
    rows = store.at(*state).search().select(columns).limit(PASSAGES).to_arrow().to_pylist()
    texts = [f"{r['prefix']}\n\n{r['text']}" if r["prefix"] else r["text"] for r in rows]
    for row, again in zip(rows, encoder.encode(texts), strict=True):
        stored = np.asarray(row["vector"], dtype=np.float64)
        cosine = stored @ again / (np.linalg.norm(stored) * np.linalg.norm(again) or 1.0)
        if not cosine >= SIMILAR:
            raise FillFailed(
                f"Loaded by another process, {model} gives other vectors than those that were"
                f" stored (cosine {cosine:.4f}). Readers saw nothing of this fill.",
                hint="Run staleproof fill --abort, and promote again.",
            )


def _all_labels(store: Store, state: State) -> frozenset[str]:
    documents = published_documents(store, state).values()
    return frozenset(label for document in documents for label in document.policy.labels)


def answer_elsewhere(asked: Asked) -> Answered:
    """The same in a fresh process, as one that starts after the switch would do it.

    Raises:
        FillFailed: It could not.
    """
    text = json.dumps(asdict(asked) | {"config": str(asked.config)})
    command = [sys.executable, "-P", "-m", "pipelines.fill.answers", text]
    try:
        done = subprocess.run(
            command,
            cwd=asked.config.parent,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise FillFailed(
            f"A process that was to load {asked.model} ended without an answer."
            " Readers saw nothing of this fill.",
            hint="See that there is memory for the model, and promote again.",
        ) from error
    if "error" in said:
        raise FillFailed(said["error"], hint=said["hint"])
    return Answered(said["asked"], said["found"])


def main(text: str) -> int:
    """Prints what came of it as one line of JSON."""
    given = json.loads(text)
    asked = Asked(**given | {"config": Path(given["config"])})
    try:
        config = load_config(asked.config)
        encoder = load_encoder(asked.model, root=config.root, batch_size=config.embedder.batch_size)
        told: dict[str, Any] = asdict(answer(config, asked, encoder))
    except StaleproofError as error:
        told = {"error": error.message, "hint": error.hint}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
