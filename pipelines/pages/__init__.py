"""HTML and SVG out of records: pages that work without a network and run nothing."""

from pipelines.pages.audit import audit_page, each_once, failing_first, outcome
from pipelines.pages.clocks import Clocks, clocks_picture, lasting
from pipelines.pages.curves import loss_picture, scores_picture
from pipelines.pages.files import audit_page_path, keep_audit_page, remove_audit_pages, write_page

__all__ = [
    "Clocks",
    "audit_page",
    "audit_page_path",
    "clocks_picture",
    "each_once",
    "failing_first",
    "keep_audit_page",
    "lasting",
    "loss_picture",
    "outcome",
    "remove_audit_pages",
    "scores_picture",
    "write_page",
]
