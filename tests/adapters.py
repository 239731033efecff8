"""A small adapter of the packaged base that changes what it says, and was never trained."""

from pathlib import Path
from typing import Any

RANK = 2


def make_adapter(folder: Path, *, seed: int = 7) -> Path:
    """Writes one as a training does: sorted targets, the base's name and no path."""
    import torch
    from peft import LoraConfig, get_peft_model

    from pipelines.training.generator.base import PACKAGED, locate_base
    from pipelines.training.generator.model import older_names, open_generator

    torch.manual_seed(seed)
    opened = open_generator(locate_base(PACKAGED, root=folder))
    config = LoraConfig(
        r=RANK,
        lora_alpha=RANK * 16,
        target_modules=["q_proj", "v_proj"],
        init_lora_weights=False,
        task_type="CAUSAL_LM",
    )
    with older_names():
        model: Any = get_peft_model(opened.model, config)
    told = model.peft_config["default"]
    told.target_modules, told.base_model_name_or_path = ["q_proj", "v_proj"], PACKAGED
    told.inference_mode = True
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    return folder
