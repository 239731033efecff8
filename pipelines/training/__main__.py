"""Runs one stage: ``python -P -m pipelines.training dataset|train|evaluate MODEL``."""

import sys
from pathlib import Path

from pipelines import quiet
from pipelines.errors import StaleproofError
from pipelines.training.stages import STAGES, run_stage


def main(arguments: list[str]) -> int:
    """Run a stage in the working directory; an error is said on stderr, without a traceback."""
    if len(arguments) != 2 or arguments[0] not in STAGES:
        sys.stderr.write(f"usage: python -P -m pipelines.training {'|'.join(STAGES)} MODEL\n")
        return 2
    quiet.silence()
    stage, model = arguments
    try:
        run_stage(stage, Path.cwd(), model)
    except StaleproofError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
