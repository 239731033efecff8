"""HTML and SVG out of records: pages that work without a network and run nothing."""

from pipelines.pages.audit import audit_page, each_once, failing_first, outcome
from pipelines.pages.clocks import Clocks, clocks_picture, lasting
from pipelines.pages.curves import loss_picture, scores_picture
from pipelines.pages.evidence import (
    domains_picture,
    evidence_picture,
    exposure_picture,
    levels_picture,
    moved_picture,
    worth_picture,
)
from pipelines.pages.files import audit_page_path, keep_audit_page, remove_audit_pages, write_page
from pipelines.pages.watch import (
    Picture,
    asked_about,
    newest_exposure,
    newest_moved,
    transitions,
    watch_page,
    watch_pictures,
)

__all__ = [
    "Clocks",
    "Picture",
    "asked_about",
    "audit_page",
    "audit_page_path",
    "clocks_picture",
    "domains_picture",
    "each_once",
    "evidence_picture",
    "exposure_picture",
    "failing_first",
    "keep_audit_page",
    "lasting",
    "levels_picture",
    "loss_picture",
    "moved_picture",
    "newest_exposure",
    "newest_moved",
    "outcome",
    "remove_audit_pages",
    "scores_picture",
    "transitions",
    "watch_page",
    "watch_pictures",
    "worth_picture",
    "write_page",
]
