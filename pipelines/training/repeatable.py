"""Makes a stage repeat itself bit by bit, and says in which precision it computes."""

import os

from pipelines import quiet
from pipelines.training.params import AnyParams


def make_repeatable(params: AnyParams) -> None:
    """The same bytes from the same input: fixed seed and threads, no operation that guesses."""
    # Read when CUDA starts, so before torch.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    quiet.silence()
    import torch
    from transformers import set_seed

    torch.set_num_threads(params.threads)
    torch.use_deterministic_algorithms(True)
    set_seed(params.seed)


def usable_precision(wanted: str) -> str:
    """As asked where the processor has it, else ``float32``."""
    import torch

    if wanted == "float32":
        return "float32"
    if torch.cuda.is_available():
        has = torch.cuda.is_bf16_supported()
    else:
        known = torch.cpu.get_capabilities()
        has = bool(known.get("avx512_bf16") or known.get("amx_bf16"))
    return "bfloat16" if has else "float32"
