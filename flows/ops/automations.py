"""Brings the automations on the server in line with their files, and says where they are not."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flows.ops.alarms import Alarm, prefix, read_alarms, with_deployment
from flows.ops.deployments import tags_of
from flows.ops.differences import MISSING, Applied, Difference, differences
from pipelines.config import Config
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import Automation, AutomationCore

PAGE = 200

_WEBHOOK_BODY = (
    "{% set subject %}SUBJECT{% endset %}{% set body %}BODY{% endset %}"
    '{"subject": {{ subject | tojson }}, "body": {{ body | tojson }}}'
)
"""A template again: what it holds may have quotes in it."""


def apply_automations(config: Config, *, within: Mapping[str, float] | None = None) -> Applied:
    """Makes the server's automations of this knowledge base as their files say.

    One that a person switched off stays off. One that has nothing to do but notify is left out
    where ``[server] notify`` is empty. Those of ours that left the files go.

    Args:
        config: The configuration.
        within: Windows in seconds by file name, instead of those of the files.

    Returns:
        The names of the automations that changed.

    Raises:
        ConfigError: A file is wrong, or names a block or a deployment that is not there.
    """
    from prefect import get_client

    created, updated = [], []
    with get_client(sync_client=True) as client:
        wanted = _wanted(client, config, within)
        there, doubles = _on_server(client, config)
        for name, automation in wanted.items():
            if name not in there:
                client.create_automation(automation)
                created.append(name)
            elif differences(name, _parts(automation), _parts(there[name])):
                enabled = {"enabled": there[name].enabled}
                client.update_automation(there[name].id, automation.model_copy(update=enabled))
                updated.append(name)
        gone = [there[name] for name in sorted(set(there) - set(wanted))] + doubles
        for left in gone:
            client.delete_automation(left.id)
    _register(config)
    return Applied(tuple(created), tuple(updated), tuple(left.name for left in gone))


def compare_automations(config: Config) -> list[Difference]:
    """Where the server's automations of this knowledge base are not as their files say.

    Raises:
        ConfigError: A file is wrong, or names a block or a deployment that is not there.
    """
    from prefect import get_client

    with get_client(sync_client=True) as client:
        wanted = _wanted(client, config, None)
        there, doubles = _on_server(client, config)
    found: list[Difference] = []
    for name in sorted({*wanted, *there}):
        file = _parts(wanted[name]) | {"enabled": True} if name in wanted else None
        server = _parts(there[name]) | {"enabled": there[name].enabled} if name in there else None
        found += differences(name, file, server)
    return found + [Difference(d.name, "a second one", MISSING, "there") for d in doubles]


def _wanted(
    client: "SyncPrefectClient", config: Config, within: Mapping[str, float] | None
) -> dict[str, "AutomationCore"]:
    from prefect.events.schemas.automations import AutomationCore

    wanted = {}
    for alarm in read_alarms(config, within=within):
        actions = [_action(client, config, alarm, action) for action in alarm.actions]
        acting = [action for action in actions if action is not None]
        if acting:
            wanted[alarm.name] = AutomationCore.model_validate(
                {
                    "name": alarm.name,
                    "description": alarm.description,
                    "tags": tags_of(config),
                    "trigger": alarm.trigger,
                    "actions": acting,
                    "enabled": True,
                }
            )
    return wanted


def _action(
    client: "SyncPrefectClient", config: Config, alarm: Alarm, action: Mapping[str, Any]
) -> dict[str, Any] | None:
    """An action with the ids that this server has; None for notifying where nobody is named."""
    from prefect.exceptions import ObjectNotFound

    if action["type"] == "notify":
        return _notify(client, config, action)
    if "deployment" not in action:
        return dict(action)
    try:
        found = client.read_deployment_by_name(action["deployment"])
    except ObjectNotFound as error:
        raise ConfigError(
            f"{alarm.file}: there is no deployment {action['deployment']} on the server.",
            hint="See prefect.yaml; staleproof up deploys it.",
        ) from error
    return with_deployment(action, str(found.id))


def _notify(
    client: "SyncPrefectClient", config: Config, action: Mapping[str, Any]
) -> dict[str, Any] | None:
    from prefect.exceptions import ObjectNotFound

    if not config.server.notify:
        return None
    kind, _, name = config.server.notify.partition("/")
    try:
        block = client.read_block_document_by_name(name, kind, include_secrets=False)
    except ObjectNotFound as error:
        raise ConfigError(
            f"{config.path}: [server] notify names block {config.server.notify}, which is not on"
            " the server.",
            hint="Make it in the Prefect UI under Blocks, or leave notify empty.",
        ) from error
    said = {"block_document_id": str(block.id)}
    if kind == "webhook":
        body = _WEBHOOK_BODY.replace("SUBJECT", action["subject"]).replace("BODY", action["body"])
        return said | {"type": "call-webhook", "payload": body}
    return said | {
        "type": "send-notification",
        "subject": action["subject"],
        "body": action["body"],
    }


def _on_server(
    client: "SyncPrefectClient", config: Config
) -> tuple[dict[str, "Automation"], list["Automation"]]:
    """Those of this knowledge base by name, and others that have a name once more."""
    found: dict[str, Automation] = {}
    doubles: list[Automation] = []
    offset, page = 0, client.read_automations(limit=PAGE)
    while page:
        for one in page:
            if one.name.startswith(prefix(config)):
                (doubles.append(one) if one.name in found else found.update({one.name: one}))
        offset += len(page)
        page = client.read_automations(limit=PAGE, offset=offset) if len(page) == PAGE else []
    return found, doubles


def _parts(automation: "AutomationCore") -> dict[str, Any]:
    """What is compared, in one spelling."""
    parts = automation.model_dump(
        mode="json", include={"description", "tags", "trigger", "actions"}, exclude_none=True
    )
    for key in ("after", "expect", "for_each"):
        if key in parts["trigger"]:
            parts["trigger"][key] = sorted(parts["trigger"][key])
    return parts


def _register(config: Config) -> None:
    """From now on silence is an alarm, also of a knowledge base that was never refreshed."""
    from prefect.events import emit_event

    name = config.knowledge.name
    resource = {"prefect.resource.id": f"staleproof.knowledge.{name}"}
    emit_event(
        event="staleproof.knowledge.registered",
        resource={**resource, "prefect.resource.name": name},
        # The alarm is for each related knowledge base: refreshes tell of their sources.
        related=[{**resource, "prefect.resource.role": "knowledge"}],
    )
