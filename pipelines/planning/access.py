"""Who may see a document today: what the configuration grants, cut down to what it asks for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from pipelines.config import Config, DomainPolicy, FilesSource, GitSource
from pipelines.records import PUBLIC, Failure, FrontMatter
from pipelines.sources import Globs, compile_globs

Labels = frozenset[str]

NOBODY: Labels = frozenset()
"""The labels of what nobody may see."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for a document today."""

    domain: str
    labels: tuple[str, ...]
    """Sorted; a reader must hold any one of them."""
    train: bool
    """Whether models may learn from it."""


@dataclass(frozen=True, slots=True)
class SourceRules:
    """What the configuration grants to the documents of one source."""

    default: Policy
    rules: tuple[tuple[Globs, Policy], ...]
    """The first that matches wins over the default."""
    own_domains: frozenset[str]
    """The domains that a document may choose for itself."""


@dataclass(frozen=True, slots=True)
class Rules(Mapping[str, SourceRules]):
    """What the configuration grants on one day: its sources by name, the policy of its domains."""

    sources: Mapping[str, SourceRules]
    on: date
    domains: Mapping[str, DomainPolicy] = field(default_factory=dict)
    """Those that have a policy of their own."""

    def __getitem__(self, name: str) -> SourceRules:
        return self.sources[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)

    def domain(self, name: str) -> DomainPolicy:
        """The policy of a domain."""
        return self.domains.get(name) or DomainPolicy(name=name)


def rules_on(config: Config, day: date) -> Rules:
    """What the configuration grants on a day (UTC)."""
    return Rules(
        {source.name: source_rules(source) for source in config.sources},
        day,
        {policy.name: policy for policy in config.domains},
    )


def source_rules(settings: FilesSource | GitSource) -> SourceRules:
    """Compiles what a source's settings say about access."""
    default = Policy(settings.domain, tuple(sorted(set(settings.labels))), settings.train)
    rules = tuple(
        (
            compile_globs((rule.match,), ()),
            Policy(
                rule.domain or default.domain,
                default.labels if rule.labels is None else tuple(sorted(set(rule.labels))),
                default.train if rule.train is None else rule.train,
            ),
        )
        for rule in settings.rules
    )
    return SourceRules(default, rules, frozenset(settings.front_matter_domains))


def granted(rules: SourceRules, path: str) -> Policy:
    """What the configuration grants to the document at ``path`` below a source's root."""
    for globs, policy in rules.rules:
        if globs.match(path):
            return policy
    return rules.default


def narrowed(
    grant: Policy, asked: FrontMatter | None, *, own_domains: Iterable[str] = ()
) -> Policy | Failure:
    """The grant, cut down to what the document's front matter asks for.

    Args:
        grant: What the configuration grants.
        asked: What the document asks; None asks nothing.
        own_domains: The domains that a document of this source may choose for itself.

    Returns:
        The policy, or the failure of a document that asks for more than it was granted.
    """
    if asked is None:
        return grant
    labels = _cut(grant.labels, asked.labels)
    if isinstance(labels, Failure):
        return labels
    domain = asked.domain or grant.domain
    if domain != grant.domain and domain not in own_domains:
        return Failure("domain_is_granted", f"asks for the domain {domain!r}")
    return replace(
        grant, domain=domain, labels=labels, train=grant.train and asked.train is not False
    )


def _cut(granted: tuple[str, ...], asked: tuple[str, ...] | None) -> tuple[str, ...] | Failure:
    """``public`` in the grant covers every label, ``public`` in the question asks for the grant."""
    if asked is None or PUBLIC in asked:
        beyond = [] if asked is None or PUBLIC in granted else set(asked) - {PUBLIC, *granted}
        kept = granted
    else:
        beyond = [] if PUBLIC in granted else set(asked) - set(granted)
        kept = asked
    if beyond:
        names = ", ".join(sorted(beyond))
        return Failure("labels_are_granted", f"asks for labels beyond its source's: {names}", True)
    return tuple(sorted(set(kept)))


def trainable(policy: Policy, findings: Iterable[str], rules: Rules) -> Policy:
    """The policy, without training where its domain forbids it for something that was found."""
    forbids = (getattr(rules.domain(policy.domain), one, None) == "no-training" for one in findings)
    return replace(policy, train=False) if any(forbids) else policy


def is_expired(asked: FrontMatter | None, day: date) -> bool:
    """Whether a document says of itself that it no longer holds on a day."""
    until = None if asked is None else asked.valid_until
    return until is not None and date.fromisoformat(until) < day


def withheld_by_age(domain: str, asked: FrontMatter | None, rules: Rules) -> bool:
    """Whether nobody may see a document because it is past its ``valid_until``."""
    return is_expired(asked, rules.on) and rules.domain(domain).expired == "withhold"


def shared(first: Iterable[str], second: Iterable[str]) -> Labels:
    """The labels that two grants have in common, ``public`` covering every label."""
    a, b = frozenset(first), frozenset(second)
    if PUBLIC in a:
        return b
    if PUBLIC in b:
        return a
    return a & b


def shows_beyond(published: Iterable[str], today: Iterable[str]) -> bool:
    """Whether what carries the published labels is shown to someone who may not see it today."""
    published, today = frozenset(published), frozenset(today)
    if PUBLIC in today:
        return False
    return not published <= today or not today
