"""What is shown of a run: where it cannot be, what was done stays done."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from flows.faults import fault
from flows.server import logged_to_server
from pipelines.errors import StaleproofError

logger = logging.getLogger(__name__)


@contextmanager
def shown(what: str) -> Iterator[None]:
    """Meanwhile something is shown; if it cannot be, the log of the run says so, and that is all.

    Args:
        what: That stays as it was then: ``The page knowledge-handbook``.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a door: of what is not ours the kind is told only
        why = error.message if isinstance(error, StaleproofError) else fault(error)
        with logged_to_server():
            logger.warning("%s is as it was, for it cannot be shown: %s", what, why)
