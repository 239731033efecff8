"""The configuration in effect, without its secrets."""

import os
import re
from collections.abc import Mapping
from typing import Any

from pipelines.config import Config, describe
from pipelines.config.values import mask_password

_SECRET = re.compile(r"AUTH|KEY|PASSWORD|SECRET|TOKEN|CUSTOM_HEADERS")
_NO_SECRET = re.compile(r"TOKENIZERS|__AUTH_ENV$")
_OURS = ("STALEPROOF_", "PREFECT_")
MASKED = "***"


def in_effect(config: Config | None, env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What is used, from the file and from the environment.

    Returns:
        ``configuration``, None where there is none, and ``environment``: what is set there of
        staleproof's and Prefect's variables.
    """
    ours = {name: value for name, value in sorted(env.items()) if name.startswith(_OURS)}
    return {
        "configuration": _masked(describe(config)) if config else None,
        "environment": {name: _shown(name, value) for name, value in ours.items()},
    }


def _shown(name: str, value: str) -> str:
    if _SECRET.search(name) and not _NO_SECRET.search(name) and value:
        return MASKED
    return mask_password(value)


def _masked(value: Any) -> Any:
    """Every URL in it without its password: that of a git source may have one."""
    if isinstance(value, str):
        return mask_password(value)
    if isinstance(value, Mapping):
        return {key: _masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner) for inner in value]
    return value
