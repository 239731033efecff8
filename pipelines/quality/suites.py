"""Reads the suites, strictly, and writes those that a new project lacks."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pipelines.config import nearest
from pipelines.errors import ConfigError
from pipelines.quality.entries import problems_of
from pipelines.quality.kinds import BY_ROW
from pipelines.quality.records import Expectation, Grain, Severity, Suite, Suites
from pipelines.quality.words import expected

BUILT_IN = Path(__file__).with_name("builtin")
"""The folder of the suites that hold where a project has none."""
MAX_BYTES = 256 * 1024
"""Of a suite's file."""

_TOP_KEYS = {"name", "expectations", "meta", "notes", "id", "suite_parameters"}


class _Broken(Exception):
    """What is wrong with a whole file, with the place in it."""


def load_suites(folder: Path) -> Suites:
    """Reads the suites of a folder, and the built-in one for each grain that it has no file for.

    They are checked as far as that is cheap: Great Expectations is not imported. A ``mostly`` of
    an expectation is a tolerance for a batch: within it all rows pass, beyond it each row that
    fails does.

    Args:
        folder: Of ``documents.json``, ``chunks.json`` and ``publication.json``; need not be there.

    Raises:
        ConfigError: Something is wrong in a file; the message lists every problem.
    """
    problems = list(_strays(folder))
    suites = {grain: _read_suite(grain, folder, problems.append) for grain in Grain}
    if problems:
        raise broken(problems)
    said = [
        (s.grain, [(e.name, e.type, e.severity, e.kwargs) for e in s.expectations])
        for s in suites.values()
    ]
    canonical = json.dumps(said, sort_keys=True).encode()
    digest = blake2b(canonical, digest_size=8).hexdigest()
    return Suites(**{grain.value: suites[grain] for grain in Grain}, hash=digest)


def place(suite: Suite, name: str | None = None) -> str:
    """Where a suite, or one expectation of it, is written: file and number of the entry."""
    file = f"the built-in suite {suite.grain}" if suite.path is None else _seen(suite.path)
    if name is None:
        return file
    number = [e.name for e in suite.expectations].index(name) + 1
    return f"{file}, expectation {number} ({name})"


def broken(problems: list[str]) -> ConfigError:
    """The error that lists what is wrong in suites."""
    hint = "Mend it; where a suite has no file, the built-in one holds."
    if len(problems) == 1:
        return ConfigError(problems[0], hint=hint)
    lines = "".join(f"\n- {problem}" for problem in problems)
    return ConfigError(f"The suites have {len(problems)} problems:{lines}", hint=hint)


def write_suites(folder: Path) -> list[Path]:
    """Writes the built-in suites that a folder lacks; what is there stays as it is.

    Returns:
        The files that were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{grain}.json" for grain in Grain]
    return [file for file in files if _write_new(file, (BUILT_IN / file.name).read_bytes())]


def _write_new(file: Path, content: bytes) -> bool:
    """Whole or not at all, and never over another's."""
    handle, name = tempfile.mkstemp(prefix=f".{file.stem}-", suffix=".new", dir=file.parent)
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        # Made for the eyes of its owner alone, as temporary files are.
        written.chmod(0o644)
        file.hardlink_to(written)
    except FileExistsError:
        return False
    finally:
        written.unlink()
    return True


def _strays(folder: Path) -> Iterator[str]:
    """Files that look like suites and would be read by nobody."""
    names = [f"{grain}.json" for grain in Grain]
    for file in sorted(folder.glob("*.json")):
        if file.name not in names:
            meant = nearest(file.name, names)
            yield f"{_seen(file)}: is no suite; " + (
                f"did you mean {meant}?" if meant else f"suites are {', '.join(names)}"
            )


def _read_suite(grain: Grain, folder: Path, report: Callable[[str], None]) -> Suite:
    own = folder / f"{grain}.json"
    file = own if os.path.lexists(own) else BUILT_IN / own.name
    try:
        entries = _entries(_parse(file), grain)
    except _Broken as error:
        report(f"{_seen(file)}{error}")
        return Suite(grain, own, ())
    found = list(problems_of(entries, grain))
    for problem in found:
        report(f"{_seen(file)}, {problem}")
    expectations = () if found else tuple(_expectation(entry) for entry in entries)
    return Suite(grain, own if file is own else None, expectations)


def _expectation(entry: dict[str, Any]) -> Expectation:
    kind, kwargs = entry["type"], entry["kwargs"]
    return Expectation(
        name=entry["meta"]["name"],
        type=kind,
        severity=Severity(entry["severity"]),
        kwargs=kwargs,
        expected=expected(kind, kwargs),
        by_row=kind in BY_ROW,
    )


def _parse(file: Path) -> Any:
    """The JSON of a file.

    Raises:
        _Broken: It is none, with the line; or it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _Broken(f": cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise _Broken(f": larger than {MAX_BYTES} bytes")
    try:
        # Some editors begin a file with a byte order mark, which JSON does not know.
        parsed = json.loads(
            data.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_number
        )
        json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode()
    except json.JSONDecodeError as error:
        raise _Broken(f", line {error.lineno}: not valid JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise _Broken(f": not UTF-8 at byte {error.start}") from error
    except UnicodeEncodeError as error:
        raise _Broken(": half of a surrogate pair in a text") from error
    except (RecursionError, ValueError) as error:
        raise _Broken(": nested too deeply, or a number too large") from error
    return parsed


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise _Broken(f': key "{twice[0]}" twice in one object')
    return dict(pairs)


def _no_number(constant: str) -> float:
    raise _Broken(f": {constant} is no number of JSON")


def _entries(data: Any, grain: Grain) -> list[Any]:
    """The expectations of a suite's file.

    Raises:
        _Broken: It is no suite of that grain.
    """
    if not isinstance(data, dict):
        raise _Broken(": must be an object with the keys name and expectations")
    unknown = sorted(data.keys() - _TOP_KEYS)
    if unknown:
        meant = nearest(unknown[0], _TOP_KEYS)
        raise _Broken(
            f': unknown key "{unknown[0]}"' + (f"; did you mean {meant}?" if meant else "")
        )
    if data.get("name") != grain:
        raise _Broken(f': name must be "{grain}"')
    if data.get("suite_parameters"):
        raise _Broken(": suite_parameters: nobody would fill them in; write the values")
    entries = data.get("expectations")
    if not isinstance(entries, list) or not entries:
        raise _Broken(": expectations must be a list of one or more; an empty suite checks nothing")
    return entries


def _seen(file: Path) -> str:
    """A file as a person at the project's top would write it."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
