"""prefect.yaml: what init writes, and that nothing in it is ignored without a word."""

import subprocess
from pathlib import Path

import pytest
import yaml

from flows.ops.declared import read_deployments
from flows.ops.place import NO_COMMIT, here
from flows.ops.starter import prefect_yaml
from pipelines.errors import ConfigError

ROOT = Path(__file__).parents[2]
TEXT = prefect_yaml(knowledge="kb", config="staleproof.toml")


def refused(folder: Path, old: str, new: str) -> ConfigError:
    """What is said of a file with one thing changed."""
    assert old in TEXT
    (folder / "prefect.yaml").write_text(TEXT.replace(old, new, 1))
    with pytest.raises(ConfigError) as told:
        read_deployments(folder)
    return told.value


def test_demo_has_the_file_that_init_writes() -> None:
    rendered = prefect_yaml(knowledge="handbook", config="staleproof.toml")
    assert (ROOT / "prefect.yaml").read_text("utf-8") == rendered


def test_everything_that_is_deployed_is_named_after_the_knowledge_base(tmp_path: Path) -> None:
    (tmp_path / "prefect.yaml").write_text(TEXT)
    declared = read_deployments(tmp_path)
    kinds = ("watchdog", "maintain", "decide", "watch", "retrain", "promote", "fill")
    flows = ("refresh/kb", "refresh/kb-recheck", *(f"{kind}/kb" for kind in kinds))
    assert tuple(d.name for d in declared) == flows
    assert {d.tags for d in declared} == {frozenset({"staleproof", "kb:kb"})}
    assert all(d.settings.description for d in declared)
    assert declared[0].pull == [
        {"prefect.deployments.steps.set_working_directory": {"directory": str(tmp_path)}}
    ]


@pytest.mark.parametrize("name", ["2024", "no", "1e3"])
def test_name_that_yaml_would_read_otherwise_stays_a_text(name: str) -> None:
    text = prefect_yaml(knowledge=name, config="staleproof.toml")
    assert yaml.safe_load(text)["deployments"][0]["name"] == name


def test_unknown_key_of_a_deployment_is_named(tmp_path: Path) -> None:
    told = refused(tmp_path, "    concurrency_limit: *one", "    concurency_limit: *one")
    assert "prefect.yaml, deployment kb (flows.refresh.refresh): " in told.message
    assert "'concurency_limit'; did you mean concurrency_limit?" in told.message


def test_unknown_key_of_a_schedule_is_named(tmp_path: Path) -> None:
    told = refused(tmp_path, "      - slug: regular", "      - max_runs: 3\n        slug: regular")
    assert "there is no key 'schedules.0.max_runs'" in told.message


def test_unknown_key_of_a_trigger_is_named(tmp_path: Path) -> None:
    trigger = "    triggers:\n      - {expect: [a.b], postrue: Reactive}\n    schedules:"
    told = refused(tmp_path, "    schedules:", trigger)
    assert "triggers: there is no key 'postrue'; did you mean posture?" in told.message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("slug: regular\n        cron", "cron", "'schedules.0.slug' is missing"),
        ("slug: regular", "sluf: regular", "'schedules.0.sluf'; did you mean slug?"),
        (
            '  - name: "kb"\n',
            '  - namex: "kb"\n',
            "number 1 (flows.refresh.refresh): there is no key 'namex'",
        ),
        ('cron: "*/15 * * * *"', 'cron: "*/15 * *"', "schedules.0"),
        ('cron: "*/15 * * * *"', "interval: 60\n        cron: '* * * * *'", "either cron or inter"),
        ("limit: 1", "limit: one", "concurrency_limit.limit"),
        ("collision_strategy: CANCEL_NEW", "collision_strategy: DROP", "collision_strategy"),
        ("flows.refresh.refresh", "flows.refresh.refersh", "no flow can be loaded"),
        ("recheck: true", "rechek: true", "has no parameter 'rechek'"),
        ('name: "kb-recheck"', 'name: "kb"', "more than one deployment refresh/kb"),
        ("deployments:\n", "deployments: *tags\nothers:\n", "'others'"),
    ],
)
def test_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in refused(tmp_path, old, new).message


def test_missing_file_says_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="init writes one"):
        read_deployments(tmp_path)


def test_commit_is_that_of_the_folder_and_says_where_files_differ(tmp_path: Path) -> None:
    assert here(str(tmp_path)) == {"folder": str(tmp_path), "commit": NO_COMMIT}

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        done = subprocess.run(
            ["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "--quiet", "--message", "a")
    git("tag", "v1")
    commit = git("rev-parse", "HEAD")[:12]
    assert here(str(tmp_path))["commit"] == commit
    (tmp_path / "a").write_text("2")
    assert here(str(tmp_path))["commit"] == f"{commit}-dirty"
