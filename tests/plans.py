"""Listings, published states and what the configuration grants, written by hand for planning."""

from collections.abc import Iterable, Mapping
from datetime import date

from pipelines.config import DomainPolicy, FilesSource, SourceRule
from pipelines.planning import (
    Found,
    Policy,
    Published,
    Remembered,
    Rules,
    Scanned,
    TakenDown,
    World,
    source_rules,
    withheld_uris,
)
from pipelines.records import Entry, Failure, FrontMatter

TODAY = date(2026, 5, 4)
SETTINGS = FilesSource(
    name="docs",
    path="docs",
    domain="general",
    labels=("hr", "managers"),
    front_matter_domains=("it",),
    rules=(
        SourceRule(match="open/**", labels=("public",), train=False),
        SourceRule(match="law/**", domain="law"),
    ),
)
GRANT = Policy("general", ("hr", "managers"), True)


def rules(*domains: DomainPolicy, on: date = TODAY) -> Rules:
    """What the configuration grants: one source, and the policy of some domains."""
    return Rules({"docs": source_rules(SETTINGS)}, on, {policy.name: policy for policy in domains})


def domain(name: str = "general", **policy: object) -> DomainPolicy:
    """One ``[[domains]]``."""
    return DomainPolicy.model_validate({"name": name, **policy})


def found(path: str, content_hash: str, front_matter: FrontMatter | Failure | None = None) -> Found:
    """A document of a listing."""
    return Found(f"docs/{path}", "docs", Entry(path, content_hash), content_hash, front_matter)


def published(
    path: str,
    content_hash: str,
    *,
    asked: FrontMatter | None = None,
    policy: Policy = GRANT,
    recipe: str = "1",
    findings: Iterable[str] = (),
) -> Published:
    """A document that readers see."""
    return Published(
        f"docs/{path}", "docs", content_hash, recipe, policy, asked, "", 0.0, tuple(findings)
    )


def world(
    has: Iterable[Found], shown: Iterable[Published], *, complete: bool = True, **more: object
) -> World:
    """What the source has and what readers see; what configuration grants without any policy."""
    scan = Scanned("docs", complete, {f.uri: f for f in has})
    known: dict[str, object] = {"sources": rules(), "recipe": "1"}
    return World(scanned={"docs": scan}, published={p.uri: p for p in shown}, **{**known, **more})  # type: ignore[arg-type]


def withheld_today(
    state: Mapping[str, Published],
    here: Rules,
    remembered: Mapping[str, Remembered],
    *,
    newest: Mapping[str, Published] | None = None,
) -> frozenset[str]:
    """What a state may not show, where nothing is taken down; it is the newest one itself."""
    return withheld_uris(
        state.values(),
        sources=here,
        newest=state if newest is None else newest,
        remembered=remembered.get,
        taken_down=TakenDown(),
    )
