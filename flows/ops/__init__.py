"""One machine: the Prefect server, its worker and what they need, started, watched and stopped."""
