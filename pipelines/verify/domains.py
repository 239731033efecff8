"""What a domain's policy says: past which day nobody may see, and what forbids to learn from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from pipelines.config import Config
from pipelines.records import FrontMatter

FINDINGS = ("secrets", "personal_data")
"""What rows may say was found in a document."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The policy of one domain, as far as what is published must follow from it."""

    withholds_expired: bool = False
    untrainable: frozenset[str] = frozenset()
    """Findings for which nothing may learn from a document."""


Domains = Mapping[str, Domain]
"""By name; one that is absent has no policy of its own."""


def domains_of(config: Config) -> dict[str, Domain]:
    """The domains that the configuration has a policy for."""
    return {
        policy.name: Domain(
            policy.expired == "withhold",
            frozenset(name for name in FINDINGS if getattr(policy, name) == "no-training"),
        )
        for policy in config.domains
    }


def forbidding(domains: Domains, domain: str, findings: Iterable[str]) -> list[str]:
    """The findings for which nothing may learn from a document of a domain."""
    return sorted(domains.get(domain, Domain()).untrainable & set(findings))


def is_past(asked: FrontMatter | None, day: date) -> bool:
    """Whether the last day on which a document says that it holds is over."""
    if asked is None or asked.valid_until is None:
        return False
    return day > date.fromisoformat(asked.valid_until)
