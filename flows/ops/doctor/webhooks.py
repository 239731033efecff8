"""Looks at what takes webhooks and acts upon them: receiver, warm lane, inbox."""

from datetime import datetime, timedelta

from flows.ops.doctor.check import Case, Check, counted, error, ok, skipped, warn
from flows.ops.environment import receiver_url
from flows.ops.preflight import check_receiver
from flows.ops.rest import Api
from flows.ops.state import running
from flows.warm.asked import is_held
from flows.warm.life import find_lane
from flows.webhook.signatures import check_secrets
from pipelines.inbox import inbox_of

_LONG = timedelta(minutes=10)
_NONE = "no endpoints in [webhook]"


def look_at_receiver(case: Case) -> Check:
    """Whether deliveries are taken, or can be."""
    endpoints = case.config.webhook.endpoints
    if not endpoints:
        return skipped(_NONE, "staleproof webhook add makes one.")
    url, said = receiver_url(case.config), counted(len(endpoints), "endpoint")
    if Api(url).is_well():
        return ok(f"takes deliveries at {url}/hooks/, {said}")
    if running(case.config) is None:
        check_receiver(case.config)
        return ok(f"not running; {said}, with secrets")
    check_secrets(case.config)
    return error(f"nobody takes deliveries at {url}", "See .staleproof/logs/receiver.log.")


def look_at_warm_lane(case: Case) -> Check:
    """Whether the process that refreshes within seconds lives, how old and how large it is."""
    webhook, lane = case.config.webhook, find_lane(case.config)
    if not webhook.endpoints:
        return skipped(_NONE)
    if not webhook.warm:
        return skipped("[webhook] warm = false: the worker refreshes what is asked for")
    if lane is None:
        if running(case.config) is None:
            return ok("not running")
        return warn(
            "no warm lane lives: the worker refreshes what is asked for, later",
            "See .staleproof/logs/warm.log.",
        )
    minutes = int((case.now - datetime.fromisoformat(lane.since)).total_seconds() // 60)
    state = f"alive for {minutes:,} min" if lane.ready else "loading the model"
    said = f"process {lane.process.pid}, {state}, {lane.memory_mb:,} MB"
    if lane.memory_mb > webhook.warm_memory_mb:
        return warn(
            f"{said}, more than warm_memory_mb = {webhook.warm_memory_mb:,}: it is started anew"
            " after each run",
            "Raise [webhook] warm_memory_mb, or set warm = false.",
        )
    return ok(said)


def look_at_inbox(case: Case) -> Check:
    """How much waits to be looked at, and how long already."""
    inbox = inbox_of(case.config.store_uri)
    waiting = inbox.waiting()
    if not waiting:
        return ok("nothing waits")
    oldest = next(iter(waiting.values()))
    deliveries = sum(wish.deliveries for wish in waiting.values())
    said = (
        f"{counted(len(waiting), 'source')} ({counted(deliveries, 'call')} of webhooks)"
        f" since {oldest.since:%Y-%m-%d %H:%M} UTC"
    )
    if case.now - oldest.since < _LONG:
        return ok(f"{said} wait for a refresh")
    if is_held(case.config):
        return ok(f"{said} wait; a refresh holds the store")
    names = " ".join(waiting)
    return warn(
        f"{said} wait, and no refresh looked at {', '.join(waiting)} to its end",
        f"See the runs of refresh/{case.config.knowledge.name}; or: staleproof refresh {names}",
    )
