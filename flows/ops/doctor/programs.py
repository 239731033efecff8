"""Looks at what is installed: Python, the packages, and that nothing is sent home."""

import sys
from importlib.metadata import metadata, requires, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from flows.ops.doctor.check import Check, error, ok, warn
from pipelines.quiet import not_silent

_TOLD = ("prefect", "fastapi", "SQLAlchemy", "lancedb", "great-expectations")
"""Packages whose versions are told also where all is well."""


def look_at_python() -> Check:
    """Whether it is one that staleproof runs with."""
    have = ".".join(map(str, sys.version_info[:3]))
    wanted = metadata("staleproof")["Requires-Python"] or ""
    if have not in SpecifierSet(wanted):
        return error(f"{have}, and staleproof needs {wanted}", f"Install Python {wanted}.")
    return ok(f"{have} at {sys.executable}")


def look_at_packages() -> Check:
    """Whether every package is one that staleproof was made for."""
    wrong = []
    needed = [Requirement(text) for text in requires("staleproof") or ()]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    for one in needed:
        have = _version(one.name)
        if have is None or not one.specifier.contains(have, prereleases=True):
            wrong.append((one, have))
    if wrong:
        said = [
            f"{one.name} {have or 'is missing'} ({one.specifier or 'any'} is needed)"
            for one, have in wrong
        ]
        wanted = " ".join(f"'{one.name}{one.specifier}'" for one, _ in wrong)
        return error("; ".join(said), f"Install what is needed: pip install {wanted}")
    told = ", ".join(f"{name} {_version(name)}" for name in _TOLD)
    return ok(f"staleproof {version('staleproof')} with {told}; all {len(needed)} fit")


def look_at_telemetry() -> Check:
    """Whether a person switched on what staleproof switches off."""
    loud = not_silent()
    if loud:
        said = ", ".join(f"{name}={value}" for name, value in loud.items())
        return warn(
            f"{said} (environment): something may be sent home",
            f"Unset {', '.join(loud)}.",
        )
    return ok("off for Prefect, Great Expectations, DVC and Hugging Face")


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError

    try:
        return version(name)
    except PackageNotFoundError:
        return None
