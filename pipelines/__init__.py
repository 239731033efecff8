"""What the work is. Never imports Prefect."""
