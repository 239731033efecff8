"""Second stage of a generator: trains an adapter on the examples.

LoRA on all linear layers: E. Hu et al., LoRA: Low-Rank Adaptation of Large Language Models (2021).
Only tokens of answers are learned, and the output layer is computed where they stand alone.
"""

import json
import math
import resource
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import TrainingError
from pipelines.training.generator.base import base_folder, fingerprint
from pipelines.training.generator.checkpoints import Checkpoints, checkpoints, marked_whole
from pipelines.training.generator.model import Opened, older_names, open_generator
from pipelines.training.losses import told_steps, write_trained
from pipelines.training.measured import write_measured
from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from pipelines.training.repeatable import make_repeatable, usable_precision
from pipelines.training.snapshot import Snapshot

if TYPE_CHECKING:
    import torch
    from transformers import Trainer, TrainingArguments

Tokens = tuple[list[int], list[int]]
"""Of a prompt, and of its answer with the token that ends it."""
_IGNORED = -100


def learn(place: Place, snapshot: Snapshot, params: GeneratorParams) -> None:
    """Train an adapter of the base; write ``weights/``, losses and figures.

    Raises:
        ConfigError: The base cannot be found.
        TrainingError: It is not the one that the snapshot names, or the training came to nothing.
    """
    started = time.monotonic()
    make_repeatable(params)
    opened = open_generator(base_folder(snapshot), precision=params.precision)
    examples = _examples(place.dataset / "examples.parquet", opened)
    model = _with_adapter(opened, params)
    with checkpoints(place, snapshot, params) as kept:
        trainer = _trainer(Opened(model, opened.tokenizer), examples, params, kept)
        last = kept.last
        trainer.train(resume_from_checkpoint=str(last) if last else None)
        refuse_diverged(model, place.model, params)
        _save(model, place.weights, snapshot)
    precision = usable_precision(params.precision)
    write_trained(place, trainer.state, pairs=len(examples), precision=precision)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds = round(time.monotonic() - started, 1)
    figures = {
        "seconds": seconds,
        "peak_memory_bytes": peak,
        "tokens": sum(len(prompt) + len(answer) for prompt, answer in examples),
    }
    write_measured(place, "train", figures, weights=fingerprint(place.weights))


def _examples(path: Path, opened: Opened) -> list[Tokens]:
    import pyarrow.parquet as pq

    return [
        (
            opened.prompt_tokens(json.loads(row["messages"])),
            [*opened.text_tokens(row["answer"]), opened.end],
        )
        for row in pq.read_table(path, columns=["messages", "answer"]).to_pylist()
    ]


def _with_adapter(opened: Opened, params: GeneratorParams) -> Any:
    """The model with a new adapter in float32, whatever the precision of its base."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=params.rank,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with older_names():
        return get_peft_model(opened.model, config)


def _trainer(
    opened: Opened, examples: list[Tokens], params: GeneratorParams, kept: Checkpoints
) -> "Trainer":
    from transformers import PrinterCallback, Trainer

    pad = int(opened.tokenizer.pad_token_id)
    trainer = Trainer(
        model=opened.model,
        args=_arguments(len(examples), params, kept),
        train_dataset=examples,
        data_collator=lambda rows: padded(rows, pad),
        callbacks=[told_steps(), marked_whole()],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(examples: int, params: GeneratorParams, kept: Checkpoints) -> "TrainingArguments":
    import torch
    from transformers import TrainingArguments

    at_once = in_memory(params)
    return TrainingArguments(
        output_dir=str(kept.folder),
        max_steps=steps_of(examples, params),
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=params.batch_size // at_once,
        learning_rate=params.learning_rate,
        warmup_steps=params.warmup,  # below 1: a share of all steps; 0: the first step counts
        bf16=usable_precision(params.precision) == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        seed=params.seed,
        data_seed=params.seed,
        logging_steps=1,
        save_strategy="steps" if kept.kept else "no",
        save_steps=params.checkpoint_steps,
        # While one is written, the one before is whole.
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )


def refuse_diverged(model: Any, name: str, params: GeneratorParams) -> None:
    """See that what was learned are numbers.

    Raises:
        TrainingError: Some are not.
    """
    import torch

    learned = (one for one in model.parameters() if one.requires_grad)
    if not all(bool(torch.isfinite(one).all()) for one in learned):
        raise TrainingError(
            f"The training of {name} came to nothing: its weights are no numbers any more.",
            hint=f"params.yaml, models.{name}.learning_rate: {params.learning_rate:g} is too high.",
        )


def steps_of(examples: int, params: GeneratorParams) -> int:
    """Steps of a training on so many examples."""
    steps = max(1, math.ceil(math.ceil(examples / params.batch_size) * params.epochs))
    return min(steps, params.max_steps) if params.max_steps else steps


def in_memory(params: GeneratorParams) -> int:
    """Examples in memory at once: as many as may be, and a part of a step that comes out even."""
    most = min(params.mini_batch_size, params.batch_size)
    return next(n for n in range(most, 0, -1) if params.batch_size % n == 0)


def padded(rows: Sequence[Tokens], pad: int) -> "dict[str, torch.Tensor | int]":
    """One batch: padding, prompts, answers that all end at the same place.

    Returns:
        ``input_ids``, ``attention_mask`` and ``position_ids`` of shape ``(n, length)``; ``labels``
        of the last ``logits_to_keep`` places alone, which the longest answer and the token before
        it need: a prompt's tokens cost no output layer.
    """
    import torch

    keep = max(len(answer) for _, answer in rows) + 1
    length = max(len(prompt) + len(answer) for prompt, answer in rows)
    tokens, mask, labels = [], [], []
    for prompt, answer in rows:
        before = length - len(prompt) - len(answer)
        tokens.append([pad] * before + prompt + answer)
        mask.append([0] * before + [1] * (length - before))
        labels.append([_IGNORED] * (keep - len(answer)) + answer)
    seen = torch.tensor(mask)
    return {
        "input_ids": torch.tensor(tokens),
        "attention_mask": seen,
        "position_ids": (seen.cumsum(1) - 1).clamp(min=0),
        "labels": torch.tensor(labels),
        "logits_to_keep": keep,
    }


def _save(model: Any, folder: Path, snapshot: Snapshot) -> None:
    """Write the adapter as safetensors, the same bytes each time and nothing of this machine."""
    base = snapshot.facts.base
    config = model.peft_config["default"]
    # A set, whose order is another in each process.
    config.target_modules = sorted(config.target_modules)
    config.base_model_name_or_path = base.model
    config.revision = base.revision or None
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    # peft's card names the place of the base; a version gets a card of its own.
    (folder / "README.md").unlink(missing_ok=True)
