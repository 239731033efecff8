"""Where pages lie: written whole or not at all, gone with the publications that they are of."""

import contextlib
import logging
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.knowledge import (
    Store,
    audits_until,
    earlier_states,
    find_publication,
    kept_states,
    measured,
    publications,
)
from pipelines.pages.audit import audit_page, each_once

logger = logging.getLogger(__name__)

UNFINISHED = ".new"


def write_page(file: Path, page: str) -> None:
    """Writes a page whole or not at all, over whatever is there.

    Raises:
        OSError: It cannot be written there.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", suffix=UNFINISHED, dir=file.parent)
    written = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(page)
        # Made for the eyes of its owner alone, as temporary files are.
        written.chmod(0o644)
        written.replace(file)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def audit_page_path(store_uri: str, number: int) -> Path:
    """Where the page of a publication's audit is, if there is one."""
    return Path(store_uri) / "audits" / f"{number}.html"


def keep_audit_page(store: Store, number: int, *, knowledge: str) -> Path | None:
    """Writes the page of the audit that let a publication through, out of what the store says.

    A page that cannot be written takes nothing from the publication: a warning is logged.

    Args:
        store: The store.
        number: Of the publication.
        knowledge: Name of the knowledge base.

    Returns:
        The page; None where nothing was audited for that publication, or it cannot be written.
    """
    data = _recorded(store, number, knowledge)
    if data is None:
        return None
    file = audit_page_path(store.uri, number)
    try:
        write_page(file, audit_page(data))
    except OSError as error:
        logger.warning("The page of the audit of #%d cannot be written: %s", number, error)
        return None
    return file


def _recorded(store: Store, number: int, knowledge: str) -> dict[str, Any] | None:
    """What the audit of a run found out, as an audit of a whole publication would say it."""
    found = audits_until(store, number)
    if not found or found[0].number != number:
        return None
    row, report = find_publication(store, number), found[0].report
    before = next(iter(earlier_states(store, row)), None)
    return {
        "ok": report["passed"],
        "scope": "changes",
        "knowledge": knowledge,
        "publication": number,
        "at": row.at.isoformat(),
        "compared_with": None if before is None else before.number,
        "documents": row.documents,
        "chunks": row.chunks,
        "verdicts": each_once(report["verdicts"]),
        **{key: report[key] for key in ("measures", "mend", "held", "accepted", "released")},
        "history": measured(found),
    }


def remove_audit_pages(
    store: Store, *, now: datetime, keep_publications: int, keep_days: float
) -> None:
    """Removes the pages of publications that are no longer kept, and what killed writers left.

    Holding the refresh lock is the caller's business, as for every clean-up.
    """
    rows = publications(store)
    kept = kept_states(rows, now=now, keep_publications=keep_publications, keep_days=keep_days)
    numbers = {row.number for row in rows if row.state in kept}
    folder = audit_page_path(store.uri, 0).parent
    for file in sorted(folder.glob("*")):
        page = file.suffix == ".html" and file.stem.isdecimal()
        if file.suffix == UNFINISHED or (page and int(file.stem) not in numbers):
            with contextlib.suppress(OSError):
                file.unlink()
