r"""Paths below a source's root: which of them are documents, and how they are spelled.

A glob matches the whole path: ``*`` and ``?`` stay within a folder, ``**`` as a whole segment is
any number of folders, ``[ab]`` and ``[!ab]`` are sets, everything else is itself. Not gitignore's
rules, where ``*.md`` would match at any depth. Names that start with a dot are hidden, whatever
the globs say.

Names are bytes, documents are addressed by UTF-8 text. A name that is not UTF-8 has its bad bytes
spelled ``\xff`` and can be read back; every other name is spelled as it is (one that looks like
such a spelling gets its backslashes spelled too, so that no two names share a spelling).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.errors import ConfigError

_PIECES = re.compile(r"\*+|\?|\[!?\]?[^\]/]*\]|.", re.DOTALL)
_LOOKS_SPELLED = re.compile(r"\\x(?:5cx)*[89a-f][0-9a-f]")
_SPELLED_BYTE = re.compile(rb"\\x([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Globs:
    """Compiled include and exclude globs."""

    wanted: re.Pattern[str]
    pruned: re.Pattern[str]
    """Folders of which everything is excluded: nobody needs to look into them."""

    def match(self, path: str) -> bool:
        """Whether the path is included and not excluded; hidden names are up to the caller."""
        return self.wanted.match(path) is not None

    def prunes(self, folder: str) -> bool:
        """Whether an exclude glob takes all of the folder."""
        return self.pruned.match(folder) is not None


def compile_globs(include: tuple[str, ...], exclude: tuple[str, ...]) -> Globs:
    """Make one pattern of all globs.

    Raises:
        ConfigError: Nothing is included, or a glob is written so that it can never match.
    """
    if not include:
        raise ConfigError("include names no glob, so nothing would ever be found.")
    for glob in (*include, *exclude):
        _check(glob)
    folders = [glob.removesuffix("/**") for glob in exclude if glob.endswith("/**")]
    wanted = rf"(?!(?:{_any(exclude)})\Z)(?:{_any(include)})\Z"
    pruned = rf"(?:{_any(folders)})\Z"
    try:
        return Globs(re.compile(wanted, re.DOTALL), re.compile(pruned, re.DOTALL))
    except re.error as error:
        raise ConfigError(f"A glob has a set that cannot be read: {error}.") from error


def is_hidden(path: str) -> bool:
    """Whether a name on the path starts with a dot."""
    return path.startswith(".") or "/." in path


def spell(name: str) -> str:
    """The name as UTF-8 text, from what the operating system or git calls it.

    Args:
        name: Decoded as UTF-8 with ``surrogateescape``.
    """
    if _is_utf8(name) and not _LOOKS_SPELLED.search(name):
        return name
    raw = name.replace("\\", "\\x5c").encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "backslashreplace")


def unspell(path: str) -> str:
    """The inverse of ``spell``, of a name or a whole path, as the operating system takes it."""
    return "/".join(map(_unspell_name, path.split("/")))


def _unspell_name(name: str) -> str:
    if not _LOOKS_SPELLED.search(name):
        return name
    spelled = name.encode("utf-8", "surrogateescape")
    raw = _SPELLED_BYTE.sub(lambda byte: bytes.fromhex(byte[1].decode()), spelled)
    return raw.decode("utf-8", "surrogateescape")


def _is_utf8(name: str) -> bool:
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(glob: str) -> None:
    """Refuse what looks right and silently matches nothing, as ``drafts/`` would."""
    if glob.startswith("!"):
        raise ConfigError(f"The glob {glob!r} starts with '!'.", hint="Use exclude.")
    if re.search(r"\{.*,.*\}", glob):
        raise ConfigError(f"The glob {glob!r} has braces.", hint="Write one glob for each.")
    if not {"", ".", ".."}.isdisjoint(glob.split("/")):
        raise ConfigError(
            f"The glob {glob!r} can never match: it is empty, starts or ends with '/', or has"
            " '//', '.' or '..' in it.",
            hint="Globs are relative to the source's root; all of a folder is 'folder/**'.",
        )


def _any(globs: Iterable[str]) -> str:
    """An alternative of all globs; of none, what matches nothing."""
    return "|".join(map(_regex, globs)) or r"(?!)"


def _regex(glob: str) -> str:
    *folders, last = parts = glob.split("/")
    # Neighbouring ** say the same as one, and would make matching slow.
    pairs = zip(folders, parts[1:], strict=True)
    kept = [part for part, following in pairs if (part, following) != ("**", "**")]
    above = "".join("(?:[^/]+/)*" if part == "**" else _segment(part) + "/" for part in kept)
    return above + (".+" if last == "**" else _segment(last))


def _segment(part: str) -> str:
    return "".join(_piece(piece) for piece in _PIECES.findall(part))


def _piece(piece: str) -> str:
    if piece[0] == "*":
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if piece[0] == "[" and len(piece) > 2:
        negated = piece[1] == "!"
        body = re.sub(r"([\\^\[\]&~|])", r"\\\1", piece[1 + negated : -1])
        return f"[^/{body}]" if negated else f"(?!/)[{body}]"
    return re.escape(piece)
