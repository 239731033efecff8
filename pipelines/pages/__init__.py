"""HTML and SVG out of records: pages that work without a network and run nothing."""

from pipelines.pages.audit import audit_page, each_once, failing_first, outcome
from pipelines.pages.files import audit_page_path, keep_audit_page, remove_audit_pages, write_page

__all__ = [
    "audit_page",
    "audit_page_path",
    "each_once",
    "failing_first",
    "keep_audit_page",
    "outcome",
    "remove_audit_pages",
    "write_page",
]
