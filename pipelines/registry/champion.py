"""Lets the stage tag say which version is served; the ledger is what decides it."""

import time
from datetime import UTC, datetime
from pathlib import Path

from pipelines import quiet
from pipelines.errors import RegistryError
from pipelines.registry.git import IDENTITY
from pipelines.registry.share import share_versions
from pipelines.registry.versions import CHAMPION, Version, champion, stage_tags

_APART_SECONDS = 1.1


def assign_champion(root: Path, version: Version) -> bool:
    """Put a version into the stage ``champion``, also one that was in it before.

    It takes no lock, for a run may hold it for hours. Of two at once one fails, and is mended later.

    Args:
        root: The project's folder.
        version: Which the ledger names.

    Returns:
        Whether it was not in it yet.

    Raises:
        RemoteUnavailable: The tag is there, and ``origin`` does not take it now.
    """
    served = champion(root, version.model)
    if served is not None and served.commit == version.commit:
        return False
    _wait_for_another_second(root, version.model)
    quiet.silence()
    import gto.api
    from gto.exceptions import GTOException

    try:
        gto.api.assign(
            root,
            version.model,
            CHAMPION,
            version=version.version,
            message=f"{version.tag} is served",
            # GTO refuses a version that was in the stage before.
            force=True,
            skip_registration=True,
            author=IDENTITY[0],
            author_email=IDENTITY[1],
        )
    except GTOException as error:
        raise RegistryError(f"GTO could not put {version.tag} in a stage: {error}.") from error
    share_versions(root, version.model)
    return True


def _wait_for_another_second(root: Path, model: str) -> None:
    """GTO orders by the time of tags, which is in whole seconds."""
    tags = stage_tags(root, model)
    since = (datetime.now(UTC) - tags[-1].at).total_seconds() if tags else _APART_SECONDS
    time.sleep(min(max(_APART_SECONDS - since, 0.0), _APART_SECONDS))
