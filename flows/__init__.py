"""How work is started and shown."""

from pipelines.quiet import silence

# Before anything here imports Prefect, which reads its settings on import.
silence()
