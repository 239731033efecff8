"""What the user decided, read from ``staleproof.toml`` and the environment."""

from pipelines.config.endpoints import add_endpoint
from pipelines.config.loader import load_config, read_table
from pipelines.config.models import (
    Action,
    AuditPolicy,
    Config,
    DomainPolicy,
    EmbedderConfig,
    Endpoint,
    FilesSource,
    GatePolicy,
    GitSource,
    HookKind,
    Knowledge,
    Limits,
    ModelConfig,
    Prices,
    QueriesPolicy,
    ServerConfig,
    SourceRule,
    WatchPolicy,
    WebhookConfig,
    describe,
    nearest,
)
from pipelines.config.starter import template
from pipelines.config.values import parse_duration

__all__ = [
    "Action",
    "AuditPolicy",
    "Config",
    "DomainPolicy",
    "EmbedderConfig",
    "Endpoint",
    "FilesSource",
    "GatePolicy",
    "GitSource",
    "HookKind",
    "Knowledge",
    "Limits",
    "ModelConfig",
    "Prices",
    "QueriesPolicy",
    "ServerConfig",
    "SourceRule",
    "WatchPolicy",
    "WebhookConfig",
    "add_endpoint",
    "describe",
    "load_config",
    "nearest",
    "parse_duration",
    "read_table",
    "template",
]
