"""Whether cache and remote have the objects that they should have."""

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from pipelines.errors import DataMissing
from pipelines.registry.objects import asked, hash_of
from pipelines.registry.places import Places

_AT_ONCE = 8


def damaged_in_cache(places: Places, oids: Iterable[str]) -> list[str]:
    """The objects that the cache lacks or that are not what their hash says.

    DVC takes a damaged one out of the cache without a word (dvc 3.67).
    """

    def is_damaged(oid: str) -> bool:
        file = places.in_cache(oid)
        return not file.is_file() or hash_of(file) != oid.removesuffix(".dir")

    ordered = sorted(oids)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [oid for oid, bad in zip(ordered, pool.map(is_damaged, ordered), strict=True) if bad]


def missing_in_remote(places: Places, oids: Iterable[str]) -> list[str]:
    """The objects that the remote lacks, or has in another size than the cache.

    Raises:
        RemoteUnavailable: It cannot be reached.
    """

    def is_missing(oid: str) -> bool:
        cached = places.in_cache(oid)
        try:
            size = asked(lambda: places.filesystem.info(places.in_remote(oid))["size"], oid)
        except DataMissing:
            return True
        return cached.is_file() and cached.stat().st_size != size

    ordered = sorted(oids)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [oid for oid, bad in zip(ordered, pool.map(is_missing, ordered), strict=True) if bad]


def check_remote(places: Places) -> None:
    """See that the remote answers, before hours are spent on what it is to keep.

    Raises:
        RemoteUnavailable: It does not.
    """
    with contextlib.suppress(DataMissing):
        oid = "0" * 32
        asked(lambda: places.filesystem.info(places.in_remote(oid)), oid)
