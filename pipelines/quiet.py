"""Switches off what other people's packages send home, print or burn unasked."""

import os

_SENDS_NOTHING = {
    # Everybody who honours the common switch, Prefect's client among them.
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "DVC_NO_ANALYTICS": "true",
    "DVC_STUDIO_OFFLINE": "true",
    # What GTO and DVC share; any value is a refusal.
    "ITERATIVE_DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
_PRINTS_NOTHING = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    # Its threads complain on stderr whenever the process forks afterwards.
    "TOKENIZERS_PARALLELISM": "false",
    "LANCE_LOG": "error",
    "RUST_LOG": "error",
}

_BURNS_NOTHING = {
    # Threads of torch that wait for each other sleep. By default they spin, and beside other work
    # they take the processor from the one they wait for: ten times as long was measured.
    "OMP_WAIT_POLICY": "PASSIVE",
}


def silence() -> None:
    """Set the environment's defaults; what a person has set stays as it is.

    Most of these are read once, on import: call this before importing such a package.
    """
    for name, value in (_SENDS_NOTHING | _PRINTS_NOTHING | _BURNS_NOTHING).items():
        os.environ.setdefault(name, value)


def not_silent() -> dict[str, str]:
    """What a person has set otherwise, of what keeps packages from sending something home."""
    return {
        name: os.environ[name]
        for name, value in _SENDS_NOTHING.items()
        if _meant(os.environ.get(name, value)) != _meant(value)
    }


def _meant(value: str) -> bool:
    return value.strip().lower() in {"1", "true", "yes", "on", "t", "y"}
