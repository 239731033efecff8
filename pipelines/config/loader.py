"""Finds, reads and checks the configuration, and says every problem in words of the file."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pipelines.config.fine_tuned import MODEL_KINDS, model_kind
from pipelines.config.models import SOURCE_KINDS, TABLES, Config, Settings, nearest
from pipelines.config.section import Section
from pipelines.config.values import mask_password
from pipelines.errors import ConfigError

FILE_NAME = "staleproof.toml"
PREFIX = "STALEPROOF_"
CONFIG_VARIABLE = "STALEPROOF_CONFIG"

_ALLOWED = {
    "string_type": "a text in quotes",
    "string_too_short": "a text that is not empty",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list: [...], or [[...]] for tables",
    "too_short": "a list of one or more",
    "model_type": "a table: [...]",
    "model_attributes_type": "a table",
    "less_than_equal": "at most {le}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "greater_than": "greater than {gt}",
    "value_error": "{error}",
    "literal_error": "{expected}",
    "union_tag_invalid": "one of {expected_tags}",
}
"""What pydantic found wrong, by its type -> what may stand there."""

_KINDS: dict[str, type[Section]] = {**SOURCE_KINDS, **MODEL_KINDS}
_Origins = dict[tuple[str, str], str]
_Table = TypeVar("_Table", bound=Section)


def load_config(path: Path | None = None, *, env: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration: ``path``, else ``STALEPROOF_CONFIG``, else ``./staleproof.toml``.

    ``STALEPROOF_<SECTION>__<KEY>`` overrides one setting. Its value is read as TOML writes it,
    and as a plain text where that fails. Any other variable that begins with ``STALEPROOF_`` is
    taken for a typing error.

    Raises:
        ConfigError: There is no such file, or something in it or in the environment is wrong;
            the message lists every problem.
    """
    file = path or Path(env.get(CONFIG_VARIABLE) or FILE_NAME)
    data = _parse(_read(file), file)
    origins, problems = _overlay(data, env)
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems += [_problem(detail, data, file, origins) for detail in found]
    else:
        problems += _unknown_sources(settings, file, origins)
    problems += _secrets(data, file, origins)
    if problems:
        raise _as_error(problems)
    said = {key: getattr(settings, key) for key in Settings.model_fields}
    # Links are not followed: a mounted configuration is often one, into a folder of its own.
    return Config(path=file.absolute(), root=file.absolute().parent, **said)


def check_text(text: str, file: Path) -> None:
    """See that ``text`` would load as a file.

    Raises:
        ConfigError: It would not.
    """
    data = _parse(text, file)
    try:
        Settings.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise _as_error([_problem(detail, data, file, {}) for detail in found]) from None


def read_table(file: Path, place: tuple[str, ...], over: _Table) -> _Table:
    """One table of the configuration out of a file that holds nothing else.

    Args:
        file: TOML, such as ``[models.watch]`` and some of its keys.
        place: Where the table is in it: ``("models", "watch")``.
        over: What holds for the keys that it leaves out.

    Raises:
        ConfigError: There is no such file, or something in it is wrong.
    """
    name = ".".join(place)
    hint = f"It holds a table [{name}] and the keys that are other than in the configuration."
    if not file.is_file():
        raise ConfigError(f"There is no file {file}.", hint=hint)
    data = _parse(_read(file), file)
    found: Any = data
    for key in place:
        found = found[key] if isinstance(found, dict) and list(found) == [key] else None
    if not isinstance(found, dict):
        raise ConfigError(f"{file} is not one table [{name}].", hint=hint)
    try:
        return type(over).model_validate({**over.model_dump(), **found})
    except ValidationError as error:
        details = [{**detail, "loc": (*place, *detail["loc"])} for detail in error.errors()]
        problems = [_problem(one, data, file, {}, within=type(over)) for one in details]  # type: ignore[arg-type]
        raise _as_error(problems) from None


def _as_error(problems: list[str]) -> ConfigError:
    if len(problems) == 1:
        return ConfigError(problems[0])
    lines = "".join(f"\n- {problem}" for problem in problems)
    return ConfigError(f"The configuration has {len(problems)} problems:{lines}")


def _read(file: Path) -> str:
    try:
        # Some editors begin a file with a byte order mark, which TOML does not know.
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no configuration file {file.absolute()}.",
            hint="Write one with `staleproof init FOLDER` (or a git URL), "
            f"or name one with --config or {CONFIG_VARIABLE}.",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 at byte {error.start}.") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{file} is a folder.", hint=f"Name the {FILE_NAME} in it.") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).partition(" (at ")
        numbers = re.match(r"line (\d+), column (\d+)", where)
        line = numbers[1] if numbers else max(1, len(text.splitlines()))
        raise ConfigError(f"{file}, line {line}: not valid TOML: {what}.") from error


def _overlay(data: dict[str, Any], env: Mapping[str, str]) -> tuple[_Origins, list[str]]:
    """Write the variables into ``data``; returns which key came from where, and problems."""
    known = {
        f"{PREFIX}{section}__{key}".upper(): (section, key)
        for section, model in _sections().items()
        for key in model.model_fields
    }
    origins: _Origins = {}
    problems: list[str] = []
    for variable in sorted(env):
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if variable not in known:
            problems.append(_unknown_variable(variable, list(known)))
            continue
        section, key = known[variable]
        table = data.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = _value(env[variable])
            origins[section, key] = variable
    return origins, problems


def _secrets(data: dict[str, Any], file: Path, origins: _Origins) -> list[str]:
    """A password belongs into the environment: the file is in git."""
    section, key = "server", "database_url"
    table = data.get(section)
    url = table.get(key) if isinstance(table, dict) else None
    if (section, key) in origins or not isinstance(url, str) or mask_password(url) == url:
        return []
    variable = f"{PREFIX}{section}__{key}".upper()
    return [
        f"{file}: {section}.{key} holds a password. Leave it out of the file and set the variable"
        f" {variable} to the whole URL"
    ]


def _unknown_sources(settings: Settings, file: Path, origins: _Origins) -> list[str]:
    """A webhook that asks for a source that nobody lists would ask for nothing."""
    known = [source.name for source in settings.sources]
    variable = origins.get(("webhook", "endpoints"))
    place = f"{variable} (environment)" if variable else f"{file}: webhook.endpoints"
    return [
        f'{place}[{endpoint.name}].sources: there is no source "{name}"{_meant(name, known)}'
        for endpoint in settings.webhook.endpoints
        for name in endpoint.sources
        if name not in known
    ]


def _meant(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else f". Known are: {', '.join(known) or 'none'}"


def _unknown_variable(variable: str, known: list[str]) -> str:
    # Without the beginning, which all have in common and which would make all of them near.
    names = [name.removeprefix(PREFIX) for name in (*known, CONFIG_VARIABLE)]
    near = nearest(variable.removeprefix(PREFIX), names)
    meant = f"; did you mean {PREFIX}{near}?" if near else "."
    sections = ", ".join(_sections())
    return (
        f"{variable} (environment): names no setting{meant} Known are {CONFIG_VARIABLE} and "
        f"{PREFIX}<SECTION>__<KEY> of {sections}"
    )


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _sections() -> dict[str, type[BaseModel]]:
    fields = Settings.model_fields.items()
    return {name: model for name, field in fields if (model := _table_of(field))}


def _table_of(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _problem(
    detail: ErrorDetails,
    data: dict[str, Any],
    file: Path,
    origins: _Origins,
    *,
    within: type[BaseModel] | None = None,
) -> str:
    """One problem: where it is, what stands there, what may stand there.

    ``within`` is the table that the key is of, where the place does not tell.
    """
    loc = detail["loc"]
    if detail["type"].startswith("union_tag"):
        loc = (*loc, "kind")
    variable = origins.get((str(loc[0]), str(loc[1]))) if len(loc) > 1 else None
    place = f"{variable} (environment)" if variable else f"{file}: {_dotted(loc, data)}"
    if detail["type"] == "extra_forbidden":
        return f"{place}: unknown key{_instead(loc, within or _model_at(loc))}"
    if detail["type"] in {"missing", "union_tag_not_found"}:
        return f"{place}: missing: {_comment(loc)}"
    tagged = detail["type"] == "union_tag_invalid"
    value = detail["input"]["kind"] if tagged else detail["input"]
    allowed = _ALLOWED.get(detail["type"])
    if allowed is None:
        return f"{place} = {_shown(value)}: {detail['msg']}"
    return f"{place} = {_shown(value)}: must be {allowed.format(**detail.get('ctx', {}))}"


def _dotted(loc: tuple[int | str, ...], data: Any) -> str:
    """``("sources", 0, "files", "labels")`` -> ``sources[handbook].labels``."""
    text = ""
    for part in loc:
        if part == "sources" and isinstance(data, dict) and part not in data and "source" in data:
            return f"{text}.source"  # of an endpoint, where it is short for a list of one
        if isinstance(part, int):
            data = data[part]
            told = (data.get("name") or data.get("match")) if isinstance(data, dict) else None
            text += f"[{told or f'#{part + 1}'}]"
        elif not _is_tag(part, data):
            text += f".{part}" if text else part
            data = data.get(part) if isinstance(data, dict) else None
    return text


def _is_tag(part: str, data: Any) -> bool:
    """Whether pydantic put the kind of a source or model here: the file has no such level."""
    if not isinstance(data, dict):
        return part in MODEL_KINDS
    if part in SOURCE_KINDS:
        return data.get("kind") == part
    return part in MODEL_KINDS and model_kind(data) == part


def _model_at(loc: tuple[int | str, ...]) -> type[BaseModel]:
    """The model whose key the last part is."""
    model: type[BaseModel] = Settings
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        if part in TABLES:
            model = TABLES[part]
        elif part in _KINDS:
            model = _KINDS[part]
        elif field is not None:
            model = _table_of(field) or model
    return model


def _comment(loc: tuple[int | str, ...]) -> str:
    if loc[-1] == "kind" and loc[0] == "sources":
        return "one of " + ", ".join(SOURCE_KINDS)
    return _model_at(loc).model_fields[str(loc[-1])].description or ""


def _instead(loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """What else could have been meant by an unknown key, and what may stand beside it."""
    key = str(loc[-1])
    known = list(model.model_fields)
    elsewhere = [
        f"[{name}] {key}" for name, model in _sections().items() if key in model.model_fields
    ]
    near = nearest(key, known) or next(iter(elsewhere), None)
    meant = f"; did you mean {near}?" if near else "."
    return f"{meant} Known here: {', '.join(known)}"


def _shown(value: Any) -> str:
    text = mask_password(json.dumps(value, default=str, ensure_ascii=False))
    return text if len(text) <= 60 else text[:57] + "..."
