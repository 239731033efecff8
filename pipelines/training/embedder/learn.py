"""Second stage of an embedder: trains the base on the pairs, and writes weights and losses.

Each passage is told apart from all others of its batch: M. Henderson et al., Efficient Natural
Language Response Suggestion (2017). Large batches fit in small memory because gradients are cached:
L. Gao et al., Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup (2021).
"""

import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.embedding import fingerprint
from pipelines.training.embedder.model import base_folder, open_model
from pipelines.training.losses import told_steps, write_trained
from pipelines.training.measured import write_measured
from pipelines.training.params import Params
from pipelines.training.places import Place
from pipelines.training.repeatable import make_repeatable, usable_precision
from pipelines.training.snapshot import Snapshot

if TYPE_CHECKING:
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )


def learn(place: Place, snapshot: Snapshot, params: Params) -> None:
    """Train the base on ``dataset/pairs.parquet``; write ``weights/``, losses and figures.

    Raises:
        TrainingError: The base is not the one that the snapshot names.
    """
    started = time.monotonic()
    folder = base_folder(snapshot)
    make_repeatable(params)
    model = open_model(folder, max_tokens=params.max_tokens)
    pairs = _pairs(place.dataset / "pairs.parquet")
    with tempfile.TemporaryDirectory() as scratch:
        trainer = _trainer(model, pairs, params, Path(scratch))
        trainer.train()
    # What serves takes texts as long as the base does.
    model.max_seq_length = open_model(folder).max_seq_length
    _save(model, place.weights, snapshot.facts.base.model)
    precision = usable_precision(params.precision)
    write_trained(place, trainer.state, pairs=len(pairs), precision=precision)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    figures = {"seconds": round(time.monotonic() - started, 1), "peak_memory_bytes": peak}
    write_measured(place, "train", figures, weights=fingerprint(place.weights))


def _pairs(path: Path) -> "Dataset":
    import pyarrow.parquet as pq
    from datasets import Dataset

    table = pq.read_table(path, columns=["anchor", "passage", "negatives"])
    columns = {"anchor": table["anchor"].to_pylist(), "positive": table["passage"].to_pylist()}
    negatives = table["negatives"].to_pylist()
    for number in range(len(negatives[0])):
        columns[f"negative_{number + 1}"] = [some[number] for some in negatives]
    return Dataset.from_dict(columns)


def _trainer(
    model: "SentenceTransformer", pairs: "Dataset", params: Params, scratch: Path
) -> "SentenceTransformerTrainer":
    from sentence_transformers import SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
    from transformers import PrinterCallback

    class Trainer(SentenceTransformerTrainer):
        """Without the card that it would write: a version gets one of its own."""

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            del default_args_dict

    trainer = Trainer(
        model=model,
        args=_arguments(model, pairs, params, scratch),
        train_dataset=pairs,
        loss=CachedMultipleNegativesRankingLoss(model, mini_batch_size=params.mini_batch_size),
        callbacks=[told_steps()],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(
    model: "SentenceTransformer", pairs: "Dataset", params: Params, scratch: Path
) -> "SentenceTransformerTrainingArguments":
    import torch
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers

    return SentenceTransformerTrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=params.epochs,
        per_device_train_batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        warmup_steps=params.warmup,  # below 1: a share of all steps
        bf16=usable_precision(params.precision) == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        seed=params.seed,
        data_seed=params.seed,
        # Two questions of one passage in a batch would be told apart from each other.
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        prompts=_prompts(model, pairs),
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def _prompts(model: "SentenceTransformer", pairs: "Dataset") -> dict[str, str] | None:
    """What stands before questions and passages while serving stands there while training."""
    known = {name: prompt or "" for name, prompt in (model.prompts or {}).items()}
    passage = next((known[p] for p in ("document", "passage", "corpus") if known.get(p)), "")
    query = known.get("query", "")
    wanted = {name: query if name == "anchor" else passage for name in pairs.column_names}
    return wanted if any(wanted.values()) else None


def _save(model: "SentenceTransformer", folder: Path, base: str) -> None:
    """Write the weights as safetensors, without the place where the base lay on this machine."""
    shutil.rmtree(folder, ignore_errors=True)
    transformer: Any = model.transformers_model
    transformer.config._name_or_path = base
    model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)
