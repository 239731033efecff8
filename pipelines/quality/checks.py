"""Judges documents and passages before they are written: who goes to quarantine, and for what."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from pipelines.config import Config
from pipelines.documents import RECIPE
from pipelines.planning import Rules
from pipelines.quality.documents import Text, document_columns, masked
from pipelines.quality.names import FindNames, find_names
from pipelines.quality.records import Columns, Severity, Suite, Suites, Verdict
from pipelines.quality.suites import load_suites
from pipelines.quality.validate import validate
from pipelines.records import Failure

MEASURES = "1"
"""Version of what is measured: raised by hand when a measure changes what it says."""
FINDINGS = ("secrets", "personal_data")
"""Columns whose findings are a matter of the domain's policy."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What documents and passages are checked against in one run."""

    config: Config
    suites: Suites
    rules: Rules
    released: frozenset[tuple[str, str]] = frozenset()
    """(uri, content hash) that a person let out of quarantine."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found out about a batch."""

    failures: Mapping[str, Failure] = field(default_factory=dict)
    """By uri: what may not be published."""
    findings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By uri: which of ``FINDINGS`` its text has."""
    verdicts: tuple[Verdict, ...] = ()


def verdict_basis(config: Config) -> str:
    """What a verdict of quarantine rests on: suites, measures, extractor, limits and policy."""
    said = [
        load_suites(config.expectations).hash,
        MEASURES,
        RECIPE,
        config.limits.max_document_bytes,
        config.audit.model_dump(mode="json", exclude={"expectations", "golden"}),
        sorted(
            (d.name, d.secrets, d.personal_data, d.languages, d.required) for d in config.domains
        ),
    ]
    return blake2b(json.dumps(said).encode(), digest_size=8).hexdigest()


def judge_documents(texts: Sequence[Text], checks: Checks, *, hashes: Mapping[str, str]) -> Judged:
    """Checks the texts of a batch.

    Args:
        texts: The documents.
        checks: What they are checked against.
        hashes: Content hash by uri.

    Raises:
        ConfigError: A suite is broken.
        AuditFailed: Something could not be checked.
    """
    columns = document_columns(
        texts,
        today=checks.rules.on,
        personal_data=checks.config.audit.personal_data,
        find_names=_names(checks.config),
    )
    domains = {text.uri: text.domain for text in texts}
    let_out = {
        uri for uri, content_hash in hashes.items() if (uri, content_hash) in checks.released
    }
    verdicts = _with_policy(
        checks.suites.documents,
        validate(checks.suites.documents, columns),
        checks,
        domains,
        let_out,
    )
    return Judged(_failures(verdicts), _findings(columns), verdicts)


def judge_chunks(columns: Columns, suite: Suite) -> Judged:
    """Checks the passages of a batch and their vectors; a failing passage fails its document.

    Raises:
        ConfigError: A suite is broken.
        AuditFailed: Something could not be checked.
    """
    verdicts = validate(suite, columns)
    by_chunk = dict(zip(columns["chunk"], columns["uri"], strict=True))
    of_documents = tuple(
        replace(v, failed={by_chunk[chunk]: said for chunk, said in [*v.failed.items()][::-1]})
        for v in verdicts
    )
    return Judged(_failures(of_documents), {}, verdicts)


def excerpt(text: str, checks: Checks) -> str:
    """Some of a document's text around what was found, every finding masked."""
    config = checks.config
    return masked(text, personal_data=config.audit.personal_data, find_names=_names(config))


def _names(config: Config) -> FindNames | None:
    model = config.audit.names_model
    return find_names(model, config.root) if model else None


def _with_policy(
    suite: Suite,
    verdicts: Sequence[Verdict],
    checks: Checks,
    domains: Mapping[str, str],
    let_out: set[str],
) -> tuple[Verdict, ...]:
    """Criticism that a domain's policy or a person's release makes a warning, as one of its own."""
    columns = {e.name: str(e.kwargs.get("column")) for e in suite.expectations}

    def is_told_only(uri: str, column: str) -> bool:
        if uri in let_out:
            return True
        policy = checks.rules.domain(domains[uri])
        return column in FINDINGS and getattr(policy, column) != "quarantine"

    judged = []
    for verdict in verdicts:
        column = columns[verdict.expectation]
        mild = {
            uri: said
            for uri, said in verdict.failed.items()
            if verdict.severity is Severity.CRITICAL and is_told_only(uri, column)
        }
        severe = {uri: said for uri, said in verdict.failed.items() if uri not in mild}
        judged.append(replace(verdict, failed=severe, passed=verdict.passed or not severe))
        if mild:
            judged.append(replace(verdict, severity=Severity.WARNING, passed=False, failed=mild))
    return tuple(judged)


def _failures(verdicts: Sequence[Verdict]) -> dict[str, Failure]:
    """By row, the first criticism in the order of the suite, and the names of the others."""
    said: dict[str, list[tuple[str, str]]] = {}
    for verdict in verdicts:
        if verdict.severity is Severity.CRITICAL:
            for uri, observed in verdict.failed.items():
                said.setdefault(uri, []).append((verdict.expectation, observed))
    return {uri: _failure(all_of_it) for uri, all_of_it in said.items()}


def _failure(said: Sequence[tuple[str, str]]) -> Failure:
    (expectation, observed), *others = said
    names = ", ".join(name for name, _ in others)
    return Failure(expectation, f"{observed}; it also fails {names}" if others else observed)


def _findings(columns: Columns) -> dict[str, tuple[str, ...]]:
    found = {
        uri: tuple(name for name in FINDINGS if columns[name][row])
        for row, uri in enumerate(columns["uri"])
    }
    return {uri: names for uri, names in found.items() if names}
