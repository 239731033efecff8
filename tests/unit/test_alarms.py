"""The files of automations: that they are whole, and that nothing in them is ignored."""

import shutil
from pathlib import Path

import pytest

from flows.ops.alarms import FOLDER, read_alarms
from flows.ops.environment import worker_environment
from pipelines.config import Config
from pipelines.errors import ConfigError
from tests.project import Project, source

SHIPPED = Path(__file__).parents[2] / FOLDER


@pytest.fixture
def config(tmp_path: Path) -> Config:
    project = Project(tmp_path)
    project.configure(source("a", more='warn_after = "2h"'), source("b", more='warn_after = "90m"'))
    return project.config


def test_each_file_is_an_automation_named_after_it(config: Config) -> None:
    alarms = {alarm.name: alarm for alarm in read_alarms(config)}
    assert set(alarms) == {f"staleproof/kb/{file.stem}" for file in SHIPPED.glob("*.yaml")}
    assert all(alarm.description for alarm in alarms.values())
    assert "$" not in str([alarm.trigger for alarm in alarms.values()])


def test_alarm_for_silence_waits_as_long_as_the_strictest_source_allows(config: Config) -> None:
    [silence] = [a for a in read_alarms(config) if a.name == "staleproof/kb/nothing-runs"]
    assert silence.trigger["within"] == 90 * 60
    # Without either of them Prefect fires never, or for ever.
    assert silence.trigger["after"]
    assert silence.trigger["for_each"]


def test_texts_name_the_window_that_is_in_force(config: Config) -> None:
    def texts(**within: float) -> dict[str, str]:
        windows = {name.replace("_", "-"): seconds for name, seconds in within.items()}
        alarms = read_alarms(config, within=windows)
        return {a.file.stem: f"{a.description} {a.actions}" for a in alarms}

    shipped = texts()
    assert "No heartbeat for 7 min:" in shipped["heartbeat-lost"]
    assert "not started within 10 min:" in shipped["pending-too-long"]
    assert "at most once in 20 min." in shipped["run-again"]
    assert "to its end within 90 min." in shipped["nothing-runs"]
    assert "No heartbeat for 5 min:" in texts(heartbeat_lost=300)["heartbeat-lost"]
    own = config.root / FOLDER
    shutil.copytree(SHIPPED, own)
    file = own / "heartbeat-lost.yaml"
    file.write_text(file.read_text().replace("within: 420", "within: 40"))
    assert "No heartbeat for 40 s:" in texts()["heartbeat-lost"]


def test_run_that_outlives_an_outage_of_the_server_is_not_taken_for_lost(config: Config) -> None:
    environment = worker_environment(config, {})
    tries = int(environment["PREFECT_CLIENT_MAX_RETRIES"])
    goes_on = sum(2**one for one in range(1, tries + 1))
    [lost] = [a for a in read_alarms(config) if a.file.stem == "heartbeat-lost"]
    beat = int(environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
    assert lost.trigger["within"] > goes_on + 2 * beat


def test_automations_of_the_project_come_before_the_shipped_ones(config: Config) -> None:
    own = config.root / FOLDER
    own.mkdir(parents=True)
    shutil.copy(SHIPPED / "run-again.yaml", own / "mine.yaml")
    assert [alarm.name for alarm in read_alarms(config)] == ["staleproof/kb/mine"]


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("run-again", "within: 1200", "witihn: 1200", "'witihn'"),
        ("run-again", "parameters:", "paramaters:", "'paramaters'"),
        ("run-again", "description:", "descripton:", "'descripton'"),
        ("run-failed", "subject:", "subjekt:", "'subjekt'"),
        ("nothing-runs", "posture: Proactive", "posture: Patient", "posture"),
        ("nothing-runs", "${knowledge}", "${knowlege}", "knowlege"),
        ("heartbeat-lost", "state: CRASHED", "state: BROKEN", "state"),
        ("heartbeat-lost", "within: 420", "within: 5", "10 seconds"),
    ],
)
def test_mistake_is_told_with_file_and_key(
    config: Config, file: str, old: str, new: str, said: str
) -> None:
    own = config.root / FOLDER
    own.mkdir(parents=True)
    text = (SHIPPED / f"{file}.yaml").read_text()
    assert old in text
    (own / f"{file}.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as told:
        read_alarms(config)
    assert f"{file}.yaml" in told.value.message
    assert said in told.value.message


@pytest.mark.parametrize("actions", ["", " []", " notify"])
def test_file_without_actions_is_refused(config: Config, actions: str) -> None:
    own = config.root / FOLDER
    own.mkdir(parents=True)
    before, _, _ = (SHIPPED / "run-again.yaml").read_text().partition("actions:")
    (own / "run-again.yaml").write_text(f"{before}actions:{actions}\n")
    with pytest.raises(ConfigError, match=r"run-again\.yaml, actions: a list"):
        read_alarms(config)
