"""How work is started and shown."""

import logging

from pipelines.quiet import silence

# Before anything here imports Prefect, which reads its settings on import.
silence()
# The root's level is a warning; what a run says of itself is information.
for _name in ("pipelines", "flows"):
    logging.getLogger(_name).setLevel(logging.INFO)
