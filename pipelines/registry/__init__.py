"""Which version: git holds code and pointers, DVC the data, GTO names versions and the champion.

A run::

    with registry_lock(root, run), workspace(root, run, model, stages=targets) as space:
        ...                                    # write the snapshot below space.folder
        track(space, f"data/training/{model}/snapshot")
        reproduce_stages(space, targets, on_line)
        if changed(space):
            ...                                # write verdict.json and card.md
            version = publish_version(space, message, annotation)

It knows neither the store nor what a model is: files, hashes and tags only.
"""

from pipelines.registry.champion import assign_champion
from pipelines.registry.checkout import checkout_model, checkout_path
from pipelines.registry.lock import registry_lock
from pipelines.registry.places import remote_folder
from pipelines.registry.publish import publish_version
from pipelines.registry.reproduce import Reproduced, reproduce_version
from pipelines.registry.retire import Retired, retire
from pipelines.registry.stages import changed, reproduce_stages, track
from pipelines.registry.versions import (
    Version,
    champion,
    find_version,
    newest_version,
    read_text,
    versions,
)
from pipelines.registry.workspace import Workspace, check_project, workspace

__all__ = [
    "Reproduced",
    "Retired",
    "Version",
    "Workspace",
    "assign_champion",
    "champion",
    "changed",
    "check_project",
    "checkout_model",
    "checkout_path",
    "find_version",
    "newest_version",
    "publish_version",
    "read_text",
    "registry_lock",
    "remote_folder",
    "reproduce_stages",
    "reproduce_version",
    "retire",
    "track",
    "versions",
    "workspace",
]
