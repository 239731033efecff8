"""What a published state is compared with, and why it may differ from what its sources have."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from pipelines.config import Config
from pipelines.knowledge import Publication
from pipelines.verify.access import Rights, rights_of
from pipelines.verify.domains import Domains, domains_of
from pipelines.verify.facts import Facts, Key
from pipelines.verify.ledger import rolled_back_at, served_since


@dataclass(frozen=True, slots=True)
class Today:
    """What a state is compared with."""

    publication: Publication
    """What readers see."""
    served: Publication
    """The row that made its state what readers see."""
    facts: Facts
    rights: Mapping[str, Rights]
    """By source of the configuration."""
    domains: Domains
    on: date
    """The day on which documents must hold (UTC)."""
    configured_at: datetime
    """When the configuration file was last written."""
    rolled_back_at: datetime | None
    """When an earlier state was last made what readers see."""

    @property
    def restored_at(self) -> datetime | None:
        """When a rollback made the state what readers see; None where a refresh did."""
        return self.served.at if self.served.restores is not None else None

    def is_newer_than_listing(self, source: str) -> bool:
        """Whether the configuration was written after the last complete listing of a source."""
        scan = self.facts.scans.get(source)
        return scan is None or self.configured_at > scan.started_at

    def reason(self, source: str, key: Key) -> str | None:
        """Why a version that a source shows is known not to be published."""
        for kind in ("quarantined", "held", "dropped"):
            if key in getattr(self.facts, kind):
                return kind
        scan, restored = self.facts.scans.get(source), self.restored_at
        unscanned = restored is not None and (scan is None or scan.started_at < restored)
        waits = key in self.facts.accepted or key in self.facts.released
        return "pending" if waits or key[0] in self.facts.waiting or unscanned else None


def today_of(config: Config, ledger: list[Publication], facts: Facts, *, now: datetime) -> Today:
    """What the newest publication is compared with.

    Args:
        config: The configuration.
        ledger: All rows, newest first.
        facts: What the store remembers beside its chunks.
        now: The time.
    """
    return Today(
        publication=ledger[0],
        served=served_since(ledger),
        facts=facts,
        rights={settings.name: rights_of(settings) for settings in config.sources},
        domains=domains_of(config),
        on=now.astimezone(UTC).date(),
        configured_at=datetime.fromtimestamp(config.path.stat().st_mtime, UTC),
        rolled_back_at=rolled_back_at(ledger),
    )
