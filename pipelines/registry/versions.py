"""Which versions of a model there are, and which one is in a stage: read from git tags alone."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipelines.errors import NotVersioned, UnknownName
from pipelines.registry.git import GitFailedError, git

CHAMPION = "champion"
"""The stage of the version that is served."""

_FORMAT = "%00".join(
    (
        "%(refname:strip=2)",
        "%(*objectname)",
        "%(objectname)",
        "%(*parent)",
        "%(parent)",
        "%(creatordate:unix)",
    )
)
_VERSION = re.compile(r"(?P<model>[a-z0-9-]+)@(?P<version>v(\d+)\.(\d+)\.(\d+))")
_STAGE = re.compile(r"(?P<model>[a-z0-9-]+)#(?P<stage>[a-z0-9-]+)(?P<cancel>!?)#(?P<count>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a model: a tag on a commit that names its data, parameters and weights."""

    model: str
    version: str
    """As in its tag: ``v0.0.3``."""
    commit: str
    base: str
    """The commit of the user's that it was made from: code and parameters."""
    created_at: datetime
    stage: str | None = None
    """``champion``, or None."""

    @property
    def tag(self) -> str:
        """``<model>@<version>``."""
        return f"{self.model}@{self.version}"

    @property
    def number(self) -> tuple[int, ...]:
        """What orders versions."""
        return tuple(int(part) for part in self.version[1:].split("."))


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag of the repository."""

    name: str
    commit: str
    parents: tuple[str, ...]
    at: datetime


def versions(root: Path, model: str | None = None) -> list[Version]:
    """The versions of a model, or of all, newest first.

    Args:
        root: The project's folder.
        model: Only of this one.

    Raises:
        NotVersioned: The project is not in git.
    """
    tags = list(_tags(root))
    names = {tag.name for tag in tags}
    stages = _stages(tags)
    found = []
    for tag in tags:
        said = _VERSION.fullmatch(tag.name)
        # "name@v1!" is how GTO takes a registration back.
        if said is None or any(n.startswith(f"{tag.name}!") for n in names):
            continue
        if model is None or said["model"] == model:
            found.append(
                Version(
                    model=said["model"],
                    version=said["version"],
                    commit=tag.commit,
                    base=next(iter(tag.parents), tag.commit),
                    created_at=tag.at,
                    stage=stages.get((said["model"], tag.commit)),
                )
            )
    return sorted(found, key=lambda one: (one.number, one.model), reverse=True)


def find_version(root: Path, model: str, version: str) -> Version:
    """One version by its name, with or without the ``v``.

    Raises:
        UnknownName: There is none of that name.
        NotVersioned: The project is not in git.
    """
    known = versions(root, model)
    for one in known:
        if version in (one.version, one.version[1:], one.tag):
            return one
    names = ", ".join(one.version for one in known) or "none"
    raise UnknownName(f'There is no version "{version}" of {model}.', hint=f"Known: {names}.")


def newest_version(root: Path, model: str) -> Version | None:
    """The version that was made last, or None.

    Raises:
        NotVersioned: The project is not in git.
    """
    return next(iter(versions(root, model)), None)


def champion(root: Path, model: str) -> Version | None:
    """The version whose stage tag says that it is served; the ledger is what is true.

    Raises:
        NotVersioned: The project is not in git.
    """
    return next((one for one in versions(root, model) if one.stage == CHAMPION), None)


def read_text(root: Path, version: Version, path: str) -> str:
    """A file of a version that is in git itself: metrics, verdict, card, parameters.

    Args:
        root: The project's folder.
        version: Of which.
        path: Seen from the project's folder, ``/``-separated.

    Raises:
        UnknownName: The version has no such file.
    """
    try:
        return git(root, "show", f"{version.commit}:{path}") + "\n"
    except GitFailedError as error:
        raise UnknownName(f"{version.tag} has no file {path}.") from error


def stage_tags(root: Path, model: str) -> list[Tag]:
    """The tags that put a version of a model into a stage or took one out, oldest first."""
    found = [(said, tag) for tag in _tags(root) if (said := _STAGE.fullmatch(tag.name))]
    of_model = [(int(said["count"]), tag) for said, tag in found if said["model"] == model]
    return [tag for _, tag in sorted(of_model, key=lambda one: one[0])]


def _tags(root: Path) -> Iterator[Tag]:
    try:
        printed = git(root, "for-each-ref", f"--format={_FORMAT}", "refs/tags")
    except GitFailedError as error:
        raise NotVersioned(
            f"{root} is not in a git repository.",
            hint="Versions of models are kept in git: run git init, and commit the project.",
        ) from error
    for line in printed.splitlines():
        name, peeled, own, peeled_parents, parents, at = line.split("\0")
        yield Tag(
            name,
            peeled or own,
            tuple((peeled_parents or parents).split()),
            datetime.fromtimestamp(int(at or 0), UTC),
        )


def _stages(tags: Iterable[Tag]) -> dict[tuple[str, str], str]:
    """The stage of each (model, commit) that is in one.

    GTO counts the stage tags of a model up: the highest number is the newest, whatever its time,
    which is in whole seconds. ``!`` takes the version out, and the one before is in it again.
    """
    counted = sorted(
        (
            (int(said["count"]), said, tag.commit)
            for tag in tags
            if (said := _STAGE.fullmatch(tag.name))
        ),
        key=lambda one: one[0],
    )
    assigned: dict[tuple[str, str], list[str]] = {}
    for _, said, commit in counted:
        held = assigned.setdefault((said["model"], said["stage"]), [])
        if commit in held:
            held.remove(commit)
        if not said["cancel"]:
            held.append(commit)
    return {(model, held[-1]): stage for (model, stage), held in assigned.items() if held}
