"""What a document asks for itself, read from the block at its start."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import yaml

from pipelines.records import Failure, FrontMatter

MAX_BYTES = 64 * 1024
"""A block must be closed within so many bytes."""
MAX_DEPTH = 16
"""Collections within collections in a block."""

_NEWLINE = rb"(?:\r\n|\n|\r)"
# Blank lines before the block are let pass: a block can only narrow, so reading it is the safe side.
_OPENING = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t]*" + _NEWLINE + rb")*---[ \t]*" + _NEWLINE)
_CLOSING = re.compile(rb"(?:^|(?<=[\r\n]))(?:---|\.\.\.)[ \t]*(?:" + _NEWLINE + rb"|$)")
# A word and a colon, as in YAML; for the keys that matter here also in less tidy ways.
_KEY = re.compile(
    rb"(?:^|(?<=[\r\n]))[ \t]*(?:[\w-]+[ \t]*:(?:[ \t\r\n]|$)"
    rb"|[ \t{\"'?-]*(?:title|domain|labels|train|owner|effective|valid_until)[\"']?[ \t]*:)",
    re.IGNORECASE,
)
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class _Block:
    """The block at the start of a document."""

    source: bytes
    first_line: int
    """Of ``source`` in the document, 1-based."""
    end: int
    """Byte offset of what follows the block."""


class _Unreadable(Exception):
    """What was found instead of what is expected; becomes a ``Failure``."""

    def __init__(self, expectation: str, observed: str) -> None:
        super().__init__(expectation, observed)
        self.failure = Failure(f"front_matter_{expectation}", observed, withhold=True)


def read_front_matter(data: bytes) -> FrontMatter | Failure | None:
    """What a document asks for itself.

    The block stands at the very start, between a line ``---`` and a line ``---`` or ``...``.
    Known keys count in any case (``Labels`` is ``labels``), unknown ones are ignored.

    Args:
        data: The document; only its beginning is looked at and decoded.

    Returns:
        None where no block is recognised: the document asks nothing new. A failure where a
        block is there and cannot be read, for then nobody knows what it asks.
    """
    try:
        block = _find(data)
        if block is None:
            return None
        node = _compose(block)
        if node is None:
            return FrontMatter()
        if not isinstance(node, yaml.MappingNode):
            if _KEY.search(block.source):
                raise _Unreadable("is_a_mapping", f"another type from line {block.first_line} on")
            return None
        return _interpret(node, block.first_line)
    except _Unreadable as unreadable:
        return unreadable.failure


def front_matter_end(data: bytes) -> int:
    """The byte offset of what follows the block; 0 where there is none."""
    try:
        block = _find(data)
    except _Unreadable:
        return 0
    return 0 if block is None else block.end


def _find(data: bytes) -> _Block | None:
    """The block, if there is a closed one."""
    opening = _OPENING.match(data, 0, MAX_BYTES)
    if opening is None:
        return None
    start = opening.end()
    first_line = len(re.findall(_NEWLINE, data[:start])) + 1
    closing = _CLOSING.search(data, start, start + MAX_BYTES)
    if closing is not None:
        return _Block(data[start : closing.start()], first_line, closing.end())
    if _KEY.search(data, start, start + MAX_BYTES):
        observed = f"opened on line {first_line - 1}, not closed within {MAX_BYTES} bytes"
        raise _Unreadable("is_closed", observed)
    # A line across the page, not a block.
    return None


class _Loader(yaml.SafeLoader):
    """Refuses what makes a short text large or deep."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """One node; its depth is counted, so that recursion stays bounded."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line
        if getattr(event, "anchor", None) is not None:
            raise _Refused(line, "an anchor or alias")
        if self.depth > MAX_DEPTH:
            raise _Refused(line, f"more than {MAX_DEPTH} levels")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Refused(Exception):
    """Valid YAML that is not taken here."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(line, what)
        self.line = line
        self.what = what


def _compose(block: _Block) -> yaml.Node | None:
    """The block's YAML as nodes: values of unknown keys are never built."""
    try:
        return _Loader(block.source.decode("utf-8")).get_single_node()
    except UnicodeDecodeError as error:
        line = block.first_line + len(re.findall(_NEWLINE, block.source[: error.start]))
        raise _Unreadable("is_utf8", f"line {line}") from error
    except _Refused as refused:
        line = block.first_line + refused.line
        raise _Unreadable("is_plain_yaml", f"{refused.what} on line {line}") from refused
    except yaml.YAMLError as error:
        # Its own words may quote the document.
        mark = getattr(error, "problem_mark", None)
        where = f"line {block.first_line + mark.line}" if mark else f"line {block.first_line} on"
        raise _Unreadable("is_yaml", where) from error


def _interpret(node: yaml.MappingNode, first_line: int) -> FrontMatter:
    """The known keys of the block, each read as what it must be."""
    seen: set[str] = set()
    said: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            continue
        key = key_node.value
        line = first_line + key_node.start_mark.line
        if key == "<<":
            raise _Unreadable("is_plain_yaml", f"a merge on line {line}")
        known = key.strip().lower()
        name = known if known in _READERS else key
        if name in seen:
            raise _Unreadable("has_no_key_twice", f"{name[:40]} again on line {line}")
        seen.add(name)
        if name in _READERS:
            said[name] = _READERS[name](name, _build(name, value_node), line)
    return FrontMatter(**said)


def _build(name: str, node: yaml.Node) -> Any:
    """The value of a known key."""
    if name == "owner" and isinstance(node, yaml.ScalarNode) and node.tag != _NULL:
        return node.value
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError):
        return node  # of no type that a reader takes


def _text(name: str, value: object, line: int) -> str | None:
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    raise _Unreadable(f"{name}_is_text", f"{_kind(value)} on line {line}")


def _labels(name: str, value: object, line: int) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values:
        raise _Unreadable(f"{name}_are_names", f"{_kind(value)} on line {line}")
    for number, label in enumerate(values, 1):
        if not isinstance(label, str) or not label.strip():
            observed = f"{_kind(label)} as number {number} on line {line}"
            raise _Unreadable(f"{name}_are_names", observed)
    return tuple(dict.fromkeys(values))


def _flag(name: str, value: object, line: int) -> bool:
    if isinstance(value, bool):
        return value
    raise _Unreadable(f"{name}_is_true_or_false", f"{_kind(value)} on line {line}")


def _owner(name: str, value: object, line: int) -> str | None:
    del name, line
    return None if value is None else str(value)


def _date(name: str, value: object, line: int) -> str:
    """A day, as written: a time of day and its zone are left out."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
    except ValueError:
        value = "no date"
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise _Unreadable(f"{name}_is_a_date", f"{_kind(value)} on line {line}")


def _kind(value: object) -> str:
    """What a value is, without saying it."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return "a text" if value.strip() else "an empty text"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return _KIND_NAMES.get(type(value), "another type")


_KIND_NAMES: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    date: "a date",
    datetime: "a date",
    dict: "a mapping",
}

_READERS: dict[str, Callable[[str, object, int], Any]] = {
    "title": _text,
    "domain": _text,
    "labels": _labels,
    "train": _flag,
    "owner": _owner,
    "effective": _date,
    "valid_until": _date,
}
