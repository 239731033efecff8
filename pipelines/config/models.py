"""What the configuration may say: one frozen model a section, defaults and limits with the keys."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)
from pydantic_core.core_schema import ValidationInfo

from pipelines.config.fine_tuned import (
    EmbedderModel,
    GeneratorModel,
    ModelConfig,
    ModelKeys,
    model_kind,
)
from pipelines.config.section import Section
from pipelines.config.values import (
    LONGEST_DAYS,
    Argument,
    Block,
    DatabaseUrl,
    Duration,
    Flag,
    Folder,
    Host,
    Name,
    Number,
    Text,
    Variable,
    Whole,
    Word,
    Words,
    is_loopback,
    mask_password,
)
from pipelines.errors import UnknownName

T = TypeVar("T", bound="SourceKeys | Endpoint | ModelKeys")

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """What was probably meant by ``name``, or None when nothing is near."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return matches[0] if matches else None


def _named_once(
    tables: Iterable["DomainPolicy | Endpoint | SourceKeys | ModelKeys"],
) -> None:
    twice = [name for name, n in Counter(table.name for table in tables).items() if n > 1]
    if twice:
        raise ValueError(f"named differently; more than one is called {', '.join(twice)}")


class Knowledge(Section):
    """Section ``[knowledge]``."""

    name: Name = Field(description="a-z 0-9 dash; part of artifact keys and event resources")
    store: Text = Field(description="a folder, relative to this file")
    keep_publications: Whole = Field(
        default=10, ge=1, description="so many of the newest states can be rolled back to"
    )
    keep_days: Number = Field(
        default=7,
        ge=0,
        le=LONGEST_DAYS,
        description="and so can those replaced less than so many days ago",
    )
    longest_read: Duration = Field(
        default=timedelta(hours=1),
        description="files that a reader may still need stay so long: 90s, 5m, 1h, 2d",
    )


class EmbedderConfig(Section):
    """Section ``[embedder]``."""

    model: Text = Field(
        default="all-MiniLM-L6-v2",
        description="the built-in one; or any sentence-transformers name or folder",
    )
    batch_size: Whole = Field(default=32, ge=1, description="passages encoded at a time")


class Limits(Section):
    """Section ``[limits]``."""

    max_embed_tokens: Whole = Field(
        default=0,
        ge=0,
        description="a run that would embed more is held for a person; 0 = no limit",
    )
    max_document_bytes: Whole = Field(
        default=20_000_000, ge=1, description="a larger document goes to quarantine"
    )


class Prices(Section):
    """Section ``[prices]``."""

    embed_million_tokens: Number = Field(
        default=0.0,
        ge=0,
        description="cost of embedding a million tokens, in your currency; plan shows the sum",
    )
    train_hour: Number = Field(
        default=0.0, ge=0, description="cost of an hour of training; retrain --plan shows the sum"
    )


class QueriesPolicy(Section):
    """Section ``[queries]``."""

    log: Flag = Field(default=True, description="keep the vector of each question that is asked")
    keep_text: Flag = Field(default=False, description="keep its words as well")


Metadata = Literal["title", "domain", "labels", "owner", "effective", "valid_until"]
PersonalData = Literal["card", "iban", "national-id", "email", "phone", "name"]
Action = Literal["quarantine", "warn", "no-training"]
"""What becomes of a document in which something was found."""


class AuditPolicy(Section):
    """Section ``[audit]``."""

    expectations: Text = Field(
        default="data/expectations", description="a folder of suites; the built-in ones otherwise"
    )
    golden: Text = Field(
        default="data/golden", description="a folder of *.jsonl: questions and their documents"
    )
    languages: tuple[Word, ...] = Field(
        default=(), description="that documents may have, as ISO 639-1 codes; [] = any"
    )
    required: tuple[Metadata, ...] = Field(
        default=(), description="front matter that every document must have"
    )
    personal_data: tuple[PersonalData, ...] = Field(
        default=("card", "iban", "national-id"),
        description="what is looked for: card, iban, national-id, email, phone, name",
    )
    names_model: str = Field(
        default="", description='a token classification model that finds names, for "name"'
    )

    @field_validator("names_model")
    @classmethod
    def _found_by_a_model(cls, value: str, info: ValidationInfo) -> str:
        if not value and "name" in info.data.get("personal_data", ()):
            raise ValueError('a model, where personal_data has "name"')
        return value


class DomainPolicy(Section):
    """One ``[[domains]]``: what holds for the documents of a domain."""

    name: Word = Field(description="of the domain")
    review: Flag = Field(default=False, description="its changes wait for a person")
    expired: Literal["attention", "withhold"] = Field(
        default="attention", description="past valid_until: attention (it is named) | withhold"
    )
    secrets: Action = Field(
        default="quarantine", description="where one is found: quarantine | warn | no-training"
    )
    personal_data: Action = Field(
        default="quarantine", description="where some is found: quarantine | warn | no-training"
    )
    languages: tuple[Word, ...] | None = Field(
        default=None, description="instead of those of [audit]"
    )
    required: tuple[Metadata, ...] | None = Field(
        default=None, description="instead of those of [audit]"
    )


class ServerConfig(Section):
    """Section ``[server]``."""

    host: Host = Field(
        default="127.0.0.1", description="where it listens; only this machine can reach 127.0.0.1"
    )
    port: Whole = Field(default=4200, ge=1, le=65_535, description="of API and UI")
    database_url: DatabaseUrl = Field(
        default="", description="postgresql://user@host/database; SQLite, for one person, otherwise"
    )
    auth_env: Variable = Field(
        default="PREFECT_SERVER_API_AUTH_STRING",
        description="the variable with user:password; needed where others can reach the server",
    )
    pool: Name = Field(default="staleproof", description="work pool of the deployments")
    keep_runs_days: Whole = Field(
        default=90, ge=1, le=LONGEST_DAYS, description="older runs, logs and events are deleted"
    )
    notify: Block = Field(
        default="", description="a notification or webhook block that alarms call: webhook/ops"
    )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


HookKind = Literal["github", "gitlab", "standard", "hmac"]
"""How a webhook is signed."""


class Endpoint(Section):
    """An entry of ``[[webhook.endpoints]]``."""

    name: Name = Field(description="the last part of its address: /hooks/NAME")
    kind: HookKind = Field(description="how it is signed: github, gitlab, standard, hmac")
    sources: Words = Field(description="which it says may have changed; source = NAME for one")
    secret_env: Variable = Field(description="the variable with the secret that signs")

    @model_validator(mode="before")
    @classmethod
    def _one_source(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "source" not in given:
            return given
        if "sources" in given:
            raise ValueError("source or sources, not both")
        rest = {key: value for key, value in given.items() if key != "source"}
        return rest | {"sources": [given["source"]]}


class WebhookConfig(Section):
    """Section ``[webhook]``."""

    host: Host = Field(default="127.0.0.1", description="where the receiver of webhooks listens")
    port: Whole = Field(default=4280, ge=1, le=65_535, description="of the receiver")
    max_body_bytes: Whole = Field(
        default=1_048_576, ge=1, description="a larger delivery is refused"
    )
    max_waiting: Whole = Field(
        default=1000, ge=1, description="deliveries that may wait for a refresh; more are refused"
    )
    warm: Flag = Field(
        default=True, description="a process keeps the model loaded: refreshes within seconds"
    )
    warm_memory_mb: Whole = Field(
        default=4096, ge=256, description="a warm process that holds more is started anew"
    )
    warm_age: Duration = Field(default=timedelta(days=1), description="and so is an older one")
    endpoints: tuple[Endpoint, ...] = Field(default=(), description="one for each sender")

    @field_validator("endpoints")
    @classmethod
    def _each_can_be_taken(
        cls, value: tuple[Endpoint, ...], info: ValidationInfo
    ) -> tuple[Endpoint, ...]:
        _named_once(value)
        most = info.data.get("max_waiting")
        large = [one.name for one in value if most is not None and len(one.sources) > most]
        if large:
            raise ValueError(
                f"of at most max_waiting = {most} sources each; {', '.join(large)} names more"
            )
        return value


class SourceRule(Section):
    """One ``[[sources.rules]]``; what it leaves out is taken from the source."""

    match: Text = Field(description="a glob on the path, without the source's name")
    domain: Word | None = Field(default=None, description="instead of the source's domain")
    labels: Words | None = Field(default=None, description="instead of the source's labels")
    train: Flag | None = Field(default=None, description="instead of the source's train")


class SourceKeys(Section):
    """What every ``[[sources]]`` may say, whatever its kind."""

    name: Name = Field(description="a-z 0-9 dash; the first part of each document's uri")
    include: tuple[Text, ...] = Field(
        default=("**/*.md",), min_length=1, description="globs of what is taken"
    )
    exclude: tuple[Text, ...] = Field(default=(), description="globs of what is left out of it")
    domain: Word = Field(description="what routing goes by")
    labels: Words = Field(
        description='a reader must hold any one of these; everyone holds "public"'
    )
    train: Flag = Field(default=True, description="may models learn from it")
    front_matter_domains: tuple[Word, ...] = Field(
        default=(), description="domains that a document may choose for itself"
    )
    warn_after: Duration = Field(
        default=timedelta(days=1),
        description="no complete scan, or a found change not published, for so long",
    )
    error_after: Duration = Field(
        default=timedelta(days=3),
        validate_default=True,
        description="the same, and now it is serious; at least warn_after",
    )
    rules: tuple[SourceRule, ...] = Field(default=(), description="exceptions, first match wins")

    @field_validator("error_after")
    @classmethod
    def _not_before_warning(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        if value < info.data.get("warn_after", value):
            raise ValueError("at least warn_after")
        return value


class FilesSource(SourceKeys):
    """A source of ``kind = "files"``: a folder."""

    kind: Literal["files"] = Field(default="files", description="files | git")
    path: Text = Field(description="a folder, relative to this file")

    def resolved_path(self, root: Path) -> Path:
        """The folder, seen from the folder of the configuration file."""
        return root / self.path


class GitSource(SourceKeys):
    """A source of ``kind = "git"``: a repository."""

    kind: Literal["git"] = Field(default="git", description="files | git")
    url: Argument = Field(description="a URL; or a repository or bundle, relative to this file")
    ref: Argument = Field(default="HEAD", description="a branch, tag or commit")
    subfolder: Folder = Field(default="", description='only what is below it; "" = everything')

    def resolved_url(self, root: Path) -> str:
        """The URL as it is; a local path seen from the folder of the configuration file."""
        return str(root / self.url) if _is_local(self.url) else self.url


def _is_local(url: str) -> bool:
    """Git's own rule: a colon before the first slash makes it ``host:path`` or a scheme."""
    head = url.split("/", 1)[0]
    return ":" not in head or _DRIVE.match(url) is not None


SOURCE_KINDS: dict[str, type[SourceKeys]] = {"files": FilesSource, "git": GitSource}
TABLES: dict[str, type[Section]] = {
    "rules": SourceRule,
    "domains": DomainPolicy,
    "endpoints": Endpoint,
    "models": ModelKeys,
}
"""What a list of tables holds, by its key."""


class Settings(Section):
    """What the file says."""

    knowledge: Knowledge = Field(description="what is built, and where it is kept")
    embedder: EmbedderConfig = Field(
        default=EmbedderConfig(),
        description="starts a new store; says what is wanted where one exists",
    )
    limits: Limits = Field(default=Limits(), description="what one run may do by itself")
    prices: Prices = Field(default=Prices(), description="what embedding costs")
    queries: QueriesPolicy = Field(
        default=QueriesPolicy(), description="what is remembered of questions"
    )
    audit: AuditPolicy = Field(
        default=AuditPolicy(), description="what documents must be to be published"
    )
    server: ServerConfig = Field(
        default=ServerConfig(), description="the Prefect server of `staleproof up`"
    )
    webhook: WebhookConfig = Field(
        default=WebhookConfig(), description="who may ask for a refresh from outside"
    )
    domains: tuple[DomainPolicy, ...] = Field(
        default=(), description="policy of single domains: one [[domains]] for each"
    )
    models: tuple[
        Annotated[
            Annotated[EmbedderModel, Tag("embedder")] | Annotated[GeneratorModel, Tag("generator")],
            Discriminator(model_kind),
        ],
        ...,
    ] = Field(default=(), description="fine-tuned on the documents: one [[models]] for each")
    sources: tuple[Annotated[FilesSource | GitSource, Field(discriminator="kind")], ...] = Field(
        default=(), description="where documents come from: one [[sources]] for each place"
    )

    @field_validator("sources", "domains", "models")
    @classmethod
    def _each_has_its_name(
        cls, value: tuple[SourceKeys | DomainPolicy | ModelKeys, ...]
    ) -> tuple[SourceKeys | DomainPolicy | ModelKeys, ...]:
        _named_once(value)
        return value


class Config(Settings):
    """What the file says, and where it lies: relative paths in it start from its folder."""

    path: Path
    """The file."""
    root: Path
    """Its folder, absolute."""

    @property
    def store_uri(self) -> str:
        """Where the store is: an absolute path, or the URI as it was given."""
        store = self.knowledge.store
        return store if "://" in store else str(self.root / store)

    @property
    def expectations(self) -> Path:
        """The folder of the suites, which need not be there."""
        return self.root / self.audit.expectations

    @property
    def golden(self) -> Path:
        """The folder of the golden questions, which need not be there."""
        return self.root / self.audit.golden

    @property
    def keep_previous(self) -> timedelta:
        """How long the former index stays after a promotion: the longest that a model asks for."""
        asked = (model.keep_previous for model in self.models if model.kind == "embedder")
        return max(asked, default=timedelta(0))

    def domain(self, name: str) -> DomainPolicy:
        """The policy of a domain, with what ``[audit]`` says where it is silent."""
        found = next((d for d in self.domains if d.name == name), None)
        policy = found or DomainPolicy(name=name)
        shared = {
            key: getattr(self.audit, key)
            for key in ("languages", "required")
            if getattr(policy, key) is None
        }
        return policy.model_copy(update=shared)

    def source(self, name: str) -> FilesSource | GitSource:
        """The source of that name.

        Raises:
            UnknownName: None has it.
        """
        return _found("source", name, self.sources, self.path)

    def model(self, name: str) -> ModelConfig:
        """The model of that name.

        Raises:
            UnknownName: None has it.
        """
        return _found("model", name, self.models, self.path)

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint of that name.

        Raises:
            UnknownName: None has it.
        """
        more = " To add one: staleproof webhook add"
        return _found("endpoint", name, self.webhook.endpoints, self.path, more=more)


def _found(kind: str, name: str, tables: Iterable[T], file: Path, *, more: str = "") -> T:
    known = {table.name: table for table in tables}
    if name in known:
        return known[name]
    near = nearest(name, known)
    meant = f"Did you mean {near}? " if near else ""
    names = ", ".join(known) or "none"
    raise UnknownName(
        f'There is no {kind} "{name}" in {file}.', hint=f"{meant}Known {kind}s: {names}.{more}"
    )


def describe(config: Config) -> dict[str, Any]:
    """The effective configuration for JSON, durations in seconds, without passwords."""
    told = config.model_dump(mode="json")
    told["server"]["database_url"] = mask_password(config.server.database_url)
    return told
