"""One retraining in a process of its own that kills itself before a given step: kill -9, as the system does."""

import os
import signal
import sys
from pathlib import Path

from tests.versioned import Versioned


def main() -> None:
    """``root run text [step]``."""
    root, run, text, *step = sys.argv[1:]

    def at(name: str) -> None:
        print(name, flush=True)  # noqa: T201
        if [name] == step:
            os.kill(os.getpid(), signal.SIGKILL)

    made = Versioned(Path(root)).retrain(text, run=run, on_step=at, env=dict(os.environ))
    print(made.version if made else "nothing changed")  # noqa: T201


if __name__ == "__main__":
    main()
