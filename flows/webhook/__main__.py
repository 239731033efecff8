"""``python -P -m flows.webhook CONFIG``: the receiver of one knowledge base."""

import sys
import threading
from pathlib import Path

from flows.cli.doors import answer_or_explain
from flows.warm import dispatch
from flows.webhook.serve import serve
from pipelines.config import load_config


def main(config: Path) -> int:
    """Runs until it is asked to stop.

    Args:
        config: The configuration file.

    Returns:
        The exit code.
    """
    loaded, ended = load_config(config), threading.Event()
    dispatch.start(loaded, ended)
    try:
        serve(loaded)
    finally:
        ended.set()
    return 0


if __name__ == "__main__":
    sys.exit(answer_or_explain(lambda: main(Path(sys.argv[1])), as_json=False, debug=False))
