"""What is usual for a source: a scan far below it is not believed, however well it ended."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING

from pipelines.knowledge.holds import ACCEPTED, CLOSED, HoldRow
from pipelines.knowledge.pauses import Pause

if TYPE_CHECKING:
    from pipelines.knowledge.scans import Scan

USUAL_OF = 10
"""So many of the latest complete scans say what is usual."""
SHARE = 0.05
"""Of the usual: what is below it is not believed."""
LONG_SECONDS = 10.0
"""Listings that usually are shorter are not judged by their time: whether a folder is in the
system's cache, or a connection is open already, makes the difference of a second to the blink of
an eye, and means nothing."""
ENOUGH_TIMES = 5
"""So many earlier times say what is usual. The first listings clone and fill caches."""


def usual_scans(scans: list["Scan"], *, since: datetime | None = None) -> list["Scan"]:
    """The latest complete scans that say how many documents are usual, newest first.

    A scan that is far below what was usual before it is none of them, so that repeating it does
    not make it usual.

    Args:
        scans: Of one source, newest first.
        since: A person said then that what is listed is right: nothing earlier counts.
    """
    usual: deque[Scan] = deque(maxlen=USUAL_OF)
    for scan in reversed(scans):
        counts = scan.complete and (since is None or scan.started_at >= since)
        if counts and not lists_too_few(scan, list(usual)):
            usual.appendleft(scan)
    return list(usual)


def lists_too_few(scan: "Scan", usual: list["Scan"]) -> bool:
    """Whether a scan lists under 5 % of the usual."""
    return bool(usual) and scan.listed < SHARE * median(one.listed for one in usual)


def unusual(scans: list["Scan"], *, since: datetime | None = None) -> str | None:
    """Why the newest complete scan is not to be believed, or None where it is like the others.

    Two things are judged. Its number of documents, against the latest scans that were usual: that
    ends when the source is whole again, or when a person says that it is right (``since``). And the
    time that its listing took, against the latest scans, whatever they were: that ends by itself.

    Args:
        scans: Of one source, newest first.
        since: A person said then that what is listed is right: nothing earlier counts.
    """
    complete = [scan for scan in scans if scan.complete]
    if not complete:
        return None
    newest, earlier = complete[0], complete[1:]
    usual = usual_scans(earlier, since=since)
    if (since is None or newest.started_at >= since) and lists_too_few(newest, usual):
        number = round(median(scan.listed for scan in usual))
        return f"its last complete scan listed {newest.listed:,} of usually {number:,} documents"
    return _too_fast(newest, earlier[:USUAL_OF])


def found_right(
    source: str, *, holds: Iterable[HoldRow], pauses: Iterable[Pause]
) -> datetime | None:
    """When a person last said that what a source lists is right, however little it is.

    Either by letting deletions of it through, or by putting it back after a pause.
    """
    times = [p.resumed_at for p in pauses if p.source == source and p.resumed_at]
    times += [
        h.decided_at
        for h in holds
        # One that closed after it was refused has nothing left: the source took it back.
        if h.decided_at and h.state in (ACCEPTED, CLOSED) and _deletes(h, source)
    ]
    return max(times, default=None)


def _deletes(hold: HoldRow, source: str) -> bool:
    return any(not wanted and uri.split("/", 1)[0] == source for uri, wanted in hold.remaining)


def _too_fast(scan: "Scan", earlier: list["Scan"]) -> str | None:
    if len(earlier) < ENOUGH_TIMES:
        return None
    if scan.source_version is not None and scan.source_version == earlier[0].source_version:
        return None  # the source itself says that it has nothing new to list
    usual = median(one.listing_seconds for one in earlier)
    if usual < LONG_SECONDS or scan.listing_seconds >= SHARE * usual:
        return None
    return f"its last complete scan took {scan.listing_seconds:.1f} s of usually {usual:.0f} s"
