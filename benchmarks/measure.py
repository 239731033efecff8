"""What every benchmark stands on: a process of its own for each figure, and the machine in words."""

import importlib.metadata
import multiprocessing
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGES = ("lancedb", "pylance", "pyarrow", "numpy", "torch", "sentence-transformers")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a function returned, and what it took."""

    value: Any
    seconds: float
    """Without the start of its process."""
    peak_mb: float
    """Resident memory of its process at its highest, imports included."""


def apart(function: Callable[..., Any], *args: Any) -> Measured:
    """Calls a function of a module in a fresh process, so that nothing before it counts."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(_measured, function, args).result()


def _measured(function: Callable[..., Any], args: tuple[Any, ...]) -> Measured:
    started = time.perf_counter()
    value = function(*args)
    return Measured(value, time.perf_counter() - started, peak_mb())


def peak_mb() -> float:
    """The highest resident memory of this process so far, in MB."""
    # Not getrusage: after a fork it tells the parent's where that was higher.
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def row(what: str, figure: str, beside: str = "", memory: float | None = None) -> None:
    """Prints one row of the table, with the load of the machine at this moment."""
    peak = f"{memory:.0f} MB" if memory else ""
    print(f"| {what} | {figure} | {beside} | {peak} | {os.getloadavg()[0]:.1f} |", flush=True)


def head(title: str) -> None:
    """Prints the machine and the head of the table."""
    print(f"{title}\n\n{machine()}\n")
    print("| what | figure | beside it | peak RSS | load |\n| --- | --- | --- | --- | --- |")


def machine() -> str:
    """The machine and the versions, as a Markdown list that names no host and no path."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return "\n".join(
        (
            f"- CPU: {cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores",
            f"- Memory: {int(memory[1]) / 2**20:.0f} GiB" if memory else "- Memory: unknown",
            f"- System: {platform.system()} {platform.release().split('-')[0]}",
            f"- Python {platform.python_version()}, {git.stdout.strip()}, {versions}",
        )
    )


if __name__ == "__main__":
    print(machine())
