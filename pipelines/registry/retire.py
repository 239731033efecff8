"""Removes old versions: first their tags, then the data that nothing else names."""

import contextlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipelines.errors import DataMissing
from pipelines.registry.git import IDENTITY, git
from pipelines.registry.leftovers import forget_loose_objects, loose_objects
from pipelines.registry.objects import LOCK, Out, asked, oids_of, outs_at, outs_in
from pipelines.registry.places import Places, find_places
from pipelines.registry.share import branch_of, forget_at_origin, own_refs
from pipelines.registry.versions import CHAMPION, Version, stage_tags, versions


@dataclass(frozen=True, slots=True)
class Retired:
    """What was removed."""

    versions: tuple[str, ...]
    """Tags."""
    objects: int
    """Different ones, of cache and remote."""


def retire(
    root: Path, model: str, keep: int, protected: Collection[str] = (), *, dry: bool = False
) -> Retired:
    """Remove all but the newest versions; never one in a stage, nor the one that was champion last.

    Then go the objects that only removed versions and runs without a version have named. Data of the
    user's own is not touched, which ``dvc gc`` would not see to. Hold ``registry_lock`` meanwhile.

    Args:
        root: The project's folder.
        model: Of which.
        keep: So many of the newest stay.
        protected: Versions that stay in any case: what the ledger still names.
        dry: Only say which versions would go.

    Raises:
        RemoteUnavailable: Tags or data cannot be removed now; the next call goes on.
    """
    old = _old_versions(root, model, keep, protected)
    names = tuple(one.tag for one in old)
    if dry:
        return Retired(names, 0)
    _remove_tags(root, model, old)
    places = find_places(root)
    removed = _remove_objects(places, _unused(root, places, model))
    forget_loose_objects(root)
    return Retired(names, removed)


def _old_versions(root: Path, model: str, keep: int, protected: Collection[str]) -> list[Version]:
    known = versions(root, model)
    served = [
        tag.commit for tag in stage_tags(root, model) if tag.name.startswith(f"{model}#{CHAMPION}#")
    ]
    # The one that is champion, and the one that was it before.
    last = list(dict.fromkeys(reversed(served)))[:2]
    return [
        one
        for one in known[max(keep, 1) :]
        if one.stage is None
        and one.commit not in last
        and not {one.version, one.tag} & set(protected)
    ]


def _remove_tags(root: Path, model: str, old: Iterable[Version]) -> None:
    """Of versions, and of the stages that they were in: nobody may follow a tag to missing data."""
    commits = {one.commit for one in old}
    gone = [tag.name for tag in stage_tags(root, model) if tag.commit in commits]
    gone += [one.tag for one in old]
    # Elsewhere first: killed in between, the next call still knows them.
    forget_at_origin(root, gone)
    lines = "".join(f"delete refs/tags/{name}\n" for name in gone)
    if lines:
        git(root, "update-ref", "--stdin", stdin=lines)


def _unused(root: Path, places: Places, model: str) -> set[str]:
    """The objects that our commits and trees have named and nothing names any more."""
    tagged = {one.commit for one in versions(root)}
    branch = branch_of(model)
    made = (
        git(root, "rev-list", f"--committer={IDENTITY[1]}", branch).split()
        if branch in own_refs(root, model)
        else []
    )
    outs = [out for commit in made if commit not in tagged for out in outs_at(root, commit, model)]
    loose = [Out("", oid) for oid in loose_objects(root)]
    candidates = _known_oids(places, [*outs, *loose])
    if not candidates:
        return set()
    return candidates - _known_oids(places, _named(root))


def _named(root: Path) -> list[Out]:
    """All data that some ref names, or the user's tree as it is."""
    printed = git(
        root, "for-each-ref", "--format=%(*objectname) %(objectname) %(*objecttype)%(objecttype)"
    )
    commits = {
        (line.split()[0]) for line in printed.splitlines() if line.split()[-1].startswith("commit")
    }
    outs = [out for commit in sorted(commits) for out in outs_at(root, commit, None)]
    listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    files = [path for path in listed if path.endswith(".dvc") or Path(path).name == LOCK]
    texts = {path: (root / path).read_text() for path in files if (root / path).is_file()}
    return [*outs, *outs_in(texts, None)]


def _known_oids(places: Places, outs: Iterable[Out]) -> set[str]:
    found = set()
    for out in {one.oid: one for one in outs}.values():
        found.add(out.oid)
        # What is gone already has no list of files either.
        with contextlib.suppress(DataMissing):
            found |= oids_of(places, [out])
    return found


def _remove_objects(places: Places, oids: Collection[str]) -> int:
    """How many were there. Lists of files go last: killed in between, the next call knows the rest."""
    removed = 0
    for oid in sorted(oids, key=lambda one: (one.endswith(".dir"), one)):
        cached = places.in_cache(oid)
        was_there = cached.exists()
        cached.unlink(missing_ok=True)
        with contextlib.suppress(DataMissing):
            asked(partial(places.filesystem.info, places.in_remote(oid)), oid)
            asked(partial(places.filesystem.rm_file, places.in_remote(oid)), oid)
            was_there = True
        removed += was_there
    return removed
