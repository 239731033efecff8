"""Tells the Prefect server that a refresh was asked for: best effort, after the answer is given."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from pipelines.config import Config
from pipelines.inbox import Delivery
from pipelines.knowledge import find_store, open_pauses
from pipelines.records import Happened

logger = logging.getLogger(__name__)

Tell = Callable[..., object]
"""As ``flows.announce.tell_server``."""


@dataclass(slots=True)
class Announcer:
    """Tells of one delivery a source, the newest, whatever their number; nobody waits for it."""

    config: Config
    tell: Tell
    _waiting: dict[str, tuple[Delivery, datetime]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _runs: bool = False

    def requested(self, delivery: Delivery, *, at: datetime) -> None:
        """Leaves it to a thread."""
        with self._lock:
            self._waiting |= dict.fromkeys(delivery.sources, (delivery, at))
            if self._runs or not self._waiting:
                return
            self._runs = True
        threading.Thread(target=self._run, name="announcer", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._runs = False
                    return
                source, (delivery, at) = self._waiting.popitem()
            try:
                # Nobody looks at a paused one, and the server raises an alarm where nobody does.
                if source not in open_pauses(find_store(self.config.store_uri)):
                    self.tell(self.config, self._happened(source, delivery), at=at)
            except Exception as error:  # noqa: BLE001 - what was asked for is in the inbox
                logger.warning("The server was not told of %s: %s", source, type(error).__name__)

    def _happened(self, source: str, delivery: Delivery) -> Happened:
        resource = f"source.{self.config.knowledge.name}.{source}"
        said = {"source": source, "endpoint": delivery.endpoint, "delivery": delivery.id}
        return Happened("refresh.requested", resource, said)
