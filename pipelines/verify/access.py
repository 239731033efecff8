"""Who may see a document today: INTERFACE.md 1 once more, for comparing."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from pipelines.config import FilesSource, GitSource
from pipelines.records import PUBLIC, FrontMatter
from pipelines.sources.globs import Globs, compile_globs

Labels = frozenset[str]


@dataclass(frozen=True, slots=True)
class Grant:
    """What the configuration grants to one document."""

    labels: Labels
    domain: str
    train: bool


@dataclass(frozen=True, slots=True)
class Rights:
    """What the configuration grants to the documents of one source."""

    otherwise: Grant
    rules: tuple[tuple[Globs, Grant], ...]
    own_domains: frozenset[str]

    def of(self, path: str) -> Grant:
        """By the first rule that matches, else the source's own."""
        return next((grant for globs, grant in self.rules if globs.match(path)), self.otherwise)


def rights_of(settings: FilesSource | GitSource) -> Rights:
    """What a source's settings grant."""
    otherwise = Grant(frozenset(settings.labels), settings.domain, settings.train)
    rules = []
    for rule in settings.rules:
        labels = otherwise.labels if rule.labels is None else frozenset(rule.labels)
        domain = otherwise.domain if rule.domain is None else rule.domain
        train = otherwise.train if rule.train is None else rule.train
        rules.append((compile_globs((rule.match,), ()), Grant(labels, domain, train)))
    return Rights(otherwise, tuple(rules), frozenset(settings.front_matter_domains))


def asked_in(text: str | None) -> FrontMatter | None:
    """What a column of front matter says.

    Raises:
        ValueError: It cannot be read.
    """
    if text is None:
        return None
    try:
        asked = FrontMatter.from_dict(json.loads(text))
        date.fromisoformat(asked.valid_until or "9999-12-31")
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
    return asked


def domain_of(rights: Rights, path: str, asked: FrontMatter | None) -> str:
    """The domain of a document: the one it chose, where it may choose it, else the granted one."""
    chosen = None if asked is None else asked.domain
    allowed = chosen is not None and chosen in rights.own_domains
    return chosen if allowed and chosen is not None else rights.of(path).domain


def cut_labels(granted: Labels, asked: FrontMatter | None) -> Labels | None:
    """The grant cut down to what is asked for; None where more is asked for than granted."""
    if asked is None or asked.labels is None:
        return granted
    named = frozenset(asked.labels)
    if PUBLIC not in granted and not named <= granted | {PUBLIC}:
        return None
    return granted if PUBLIC in named else named


def expected(rights: Rights, path: str, asked: FrontMatter | None) -> Grant | None:
    """What the rows of a document must say today; None where it asks for more than is granted."""
    grant = rights.of(path)
    labels = cut_labels(grant.labels, asked)
    domain = (asked.domain if asked else None) or grant.domain
    if labels is None or (domain != grant.domain and domain not in rights.own_domains):
        return None
    refuses = asked is not None and asked.train is False
    return Grant(labels, domain, grant.train and not refuses)


def shown_beyond(
    published: Iterable[str], granted: Labels, asks: Iterable[FrontMatter | None]
) -> bool:
    """Whether published labels let somebody read who may not read today.

    Args:
        published: The labels that the rows carry.
        granted: The labels that the configuration grants.
        asks: What the published and the newest version ask for; each may only narrow.
    """
    today: Labels | None = granted
    for asked in asks:
        cut = cut_labels(granted, asked)
        if cut is None or today is None:
            return True
        if PUBLIC in today:
            today = cut
        elif PUBLIC not in cut:
            today = today & cut
    if today is None or not today:
        return True
    return PUBLIC not in today and (PUBLIC in published or not set(published) <= today)
