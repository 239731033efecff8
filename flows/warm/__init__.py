"""Who acts upon the inbox: the warm lane within seconds, else a run of the process worker.

Both ask our own inbox, several times a second. Prefect's task worker could be told by ``delay()``;
asking one SQLite file is as quick, needs no second process to be alive, and cannot be wrong: what
waits is in the inbox, and nowhere else.
"""
