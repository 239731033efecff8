"""Looks at one thing after the other, mends what it may, and never falls over one of them."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from flows.ops.doctor.check import Case, Check, error, ok, skipped
from flows.ops.doctor.files import (
    close_to_others,
    forget_killed_holder,
    look_at_disk,
    look_at_embedder,
    look_at_lock,
    look_at_permissions,
    look_at_store,
    look_at_suites,
)
from flows.ops.doctor.models import look_at_models, put_stages_right
from flows.ops.doctor.programs import look_at_packages, look_at_python, look_at_telemetry
from flows.ops.doctor.runs import (
    look_at_automations,
    look_at_deployments,
    look_at_pool,
    look_at_schedules,
    make_pool,
    put_automations_right,
    put_deployments_right,
)
from flows.ops.doctor.server import (
    clear_up,
    look_at_database,
    look_at_port,
    look_at_server,
    look_at_up,
)
from flows.ops.doctor.webhooks import look_at_inbox, look_at_receiver, look_at_warm_lane
from flows.ops.environment import api_url, auth_string
from flows.ops.rest import Api
from flows.ops.state import running
from pipelines.config import Config
from pipelines.errors import StaleproofError

SERVER = "server"


@dataclass(frozen=True, slots=True)
class _Probe:
    """One look, and what it can mend."""

    name: str
    look: Callable[[Case], Check]
    fix: Callable[[Case], str] | None = None
    """Says what it did."""
    asks_server: bool = False


_BEFORE: dict[str, Callable[[], Check]] = {
    "python": look_at_python,
    "packages": look_at_packages,
    "telemetry": look_at_telemetry,
}
_PROBES = (
    _Probe("permissions", look_at_permissions, close_to_others),
    _Probe("disk", look_at_disk),
    _Probe("store", look_at_store),
    _Probe("lock", look_at_lock, forget_killed_holder),
    _Probe("suites", look_at_suites),
    _Probe("embedder", look_at_embedder),
    _Probe("models", look_at_models, put_stages_right),
    _Probe("up", look_at_up, clear_up),
    _Probe("port", look_at_port),
    _Probe("database", look_at_database),
    _Probe(SERVER, look_at_server),
    _Probe("work pool", look_at_pool, make_pool, asks_server=True),
    _Probe("deployments", look_at_deployments, put_deployments_right, asks_server=True),
    _Probe("automations", look_at_automations, put_automations_right, asks_server=True),
    _Probe("schedules", look_at_schedules, asks_server=True),
    _Probe("receiver", look_at_receiver),
    _Probe("warm lane", look_at_warm_lane),
    _Probe("inbox", look_at_inbox),
)


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, and what was done about it."""

    checks: tuple[Check, ...]
    fixed: tuple[tuple[str, str], ...] = ()
    """Names of checks, and what ``--fix`` did or could not do."""

    @property
    def ok(self) -> bool:
        """Whether nothing stands that does not work."""
        return not any(check.state == "error" for check in self.checks)

    @property
    def is_retryable(self) -> bool:
        """Whether all that does not work is something that cannot be reached now."""
        errors = [check for check in self.checks if check.state == "error"]
        return bool(errors) and all(check.retryable for check in errors)


def examine(
    config: Config, *, now: datetime, api: Api | None = None, fix: bool = False
) -> Examination:
    """Looks at all of an installation.

    Args:
        config: The configuration.
        now: The time that overdue runs are seen from.
        api: The server; the one that this project uses, by default.
        fix: Mend what can be mended without losing anything, and look again.
    """
    checks = [_guarded(name, look) for name, look in _BEFORE.items()]
    checks.append(ok(str(config.path)).named("configuration"))
    fixed: list[tuple[str, str]] = []
    asked = _case(config, now, api)
    server = _guarded(SERVER, lambda: look_at_server(asked))
    case = replace(asked, answers=server.state in _ANSWERS)
    for probe in _PROBES:
        check = server if probe.name == SERVER else _looked(probe, case, server)
        if fix and probe.fix is not None and check.fixable:
            fixed.append((probe.name, _mended(probe.fix, case)))
            check = _looked(probe, case, server)
        checks.append(check)
    return Examination(tuple(checks), tuple(fixed))


_ANSWERS = {"ok", "warn"}


def examine_without(problem: StaleproofError) -> Examination:
    """Looks at what can be looked at without a configuration.

    Args:
        problem: Why there is none.
    """
    checks = [_guarded(name, look) for name, look in _BEFORE.items()]
    checks.append(error(problem.message, problem.hint).named("configuration"))
    without = skipped("not looked at without a configuration")
    return Examination((*checks, *(without.named(probe.name) for probe in _PROBES)))


def api_in_use(config: Config) -> tuple[Api, bool]:
    """The server that commands of this project use, and whether somebody named or started it."""
    named = Api.named()
    if named is not None:
        return named, True
    if running(config) is not None:
        return Api.of(config), True
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL

    url = PREFECT_API_URL.value()  # of a profile
    if not url:
        return Api.of(config), False
    auth = PREFECT_API_AUTH_STRING.value()
    return Api(str(url).rstrip("/"), auth.get_secret_value() if auth else None), True


def _case(config: Config, now: datetime, api: Api | None) -> Case:
    try:
        auth_string(config)
        used, is_wanted = (api, True) if api else api_in_use(config)
    except StaleproofError:  # told where the server is looked at
        return Case(config, now, Api(api_url(config)), is_wanted=True)
    return Case(config, now, used, is_wanted)


def _looked(probe: _Probe, case: Case, server: Check) -> Check:
    if probe.asks_server and not case.answers:
        return skipped("needs the server", server.mend).named(probe.name)
    return _guarded(probe.name, lambda: probe.look(case))


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    """What a look says; a look that fails is an error itself."""
    try:
        return look().named(name)
    except StaleproofError as problem:
        told = error(problem.message, problem.hint).named(name)
        return replace(told, retryable=problem.retryable)
    except Exception as problem:  # noqa: BLE001 - a door: what is broken must not hide the rest
        said = f"{type(problem).__name__}: {str(problem).partition(chr(10))[0][:200]}"
        last = traceback.extract_tb(problem.__traceback__)[-1]
        return error(
            f"could not be looked at: {said} ({Path(last.filename).name}, line {last.lineno})",
            "If nothing else here explains it, report this line: it is a bug in staleproof.",
        ).named(name)


def _mended(fix: Callable[[Case], str], case: Case) -> str:
    try:
        return fix(case)
    except StaleproofError as problem:
        return f"not mended: {problem}"
    except Exception as problem:  # noqa: BLE001 - as above
        return f"not mended: {type(problem).__name__}: {problem}"
