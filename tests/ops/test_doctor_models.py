"""The doctor looks at models: what serves is there, and what trains can train."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flows.cli import run
from flows.ops.doctor import Case, Check
from flows.ops.doctor.examine import examine
from flows.ops.doctor.models import look_at_models, put_stages_right
from flows.ops.rest import Api
from pipelines.embedding import locate_model
from pipelines.embedding.weights import BUILT_IN
from pipelines.knowledge import VerdictRow, model_folder, record_verdict
from pipelines.registry import champion
from tests.planted import text
from tests.project import Project, source
from tests.retrained import Registered
from tests.serving import let_in
from tests.trained import MODEL, Trained, make_trained
from tests.versioned import Versioned
from tests.voiced import VOICE, voiced

FOLDER = model_folder(MODEL, "v0.0.1")
BACK = f"staleproof promote {MODEL} v0.0.1 brings them back"


def look(project: Project) -> Check:
    config = project.config
    return look_at_models(Case(config, project.now, Api.of(config), is_wanted=False))


def small_weights(folder: Path) -> None:
    """A model's folder whose weights are a few bytes."""
    built_in = locate_model(BUILT_IN, root=folder)
    shutil.copytree(built_in, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").write_bytes(b"a few weights")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A project in git and DVC whose version v0.0.1 serves; its stage tag does not say so yet."""
    made = make_trained(tmp_path_factory.mktemp("served"))
    made.project.write("ape.md", text("ape"))
    made.project.refresh()
    made.repo.git("tag", "--annotate", "--message", "a version", f"{MODEL}@v0.0.1")
    small_weights(made.repo.root / FOLDER)
    let_in(made, "v0.0.1", Registered({"v0.0.1": {"promote": True, "reasons": []}}, model=MODEL))
    return made


@pytest.fixture
def project(served: Trained, tmp_path: Path) -> Project:
    return served.copied(tmp_path).project


def test_configuration_without_models_is_not_looked_at(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.configure()
    assert look(made).state == "skipped"


def test_project_that_is_not_in_git_is_told_that_it_cannot_train(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.configure(source(), more=f'[[models]]\nname = "{MODEL}"')
    check = look(made)
    assert (check.state, "not in a git repository" in check.found) == ("warn", True)
    assert "git init" in check.mend


def test_project_that_init_has_written_can_train_once_it_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made, repo = Project(tmp_path), Versioned(tmp_path)
    (tmp_path / "docs").mkdir()
    assert run(["init", "docs"]) == 0
    repo.git("init", "--quiet")
    check = look(made)
    assert (check.state, "has no commit" in check.found) == ("warn", True)
    repo.commit()
    assert look(made).found == "1 model; no version serves"


def test_stage_tag_that_lags_is_told_and_put_right(project: Project) -> None:
    found = {check.name: check for check in examine(project.config, now=project.now).checks}
    assert (found["models"].state, found["models"].fixable) == ("warn", True)
    assert f"{MODEL} v0.0.1 serves, its stage tag names no version" in found["models"].found
    fixed = examine(project.config, now=project.now, fix=True)
    assert ("models", f"the stage tags name what serves: {MODEL} v0.0.1") in fixed.fixed
    assert look(project).found == f"1 model; {MODEL} v0.0.1 serves"
    tagged = champion(project.root, MODEL)
    assert tagged is not None
    assert tagged.version == "v0.0.1"


def test_version_that_has_gone_stale_is_told(project: Project) -> None:
    examine(project.config, now=project.now, fix=True)
    said = VerdictRow(id="1", model=MODEL, version="v0.0.1", at=project.now, verdict="stale")
    record_verdict(project.store, replace(said, reasons=("it learned from what it may not",)))
    check = look(project)
    assert (check.state, check.fixable) == ("warn", False)
    assert check.found == f"{MODEL} v0.0.1 serves and is stale: it learned from what it may not"
    assert f"staleproof retrain {MODEL}" in check.mend


def test_stage_that_cannot_be_put_right_says_why(project: Project) -> None:
    Versioned(project.root).git("tag", "--delete", f"{MODEL}@v0.0.1")
    config = project.config
    case = Case(config, project.now, Api.of(config), is_wanted=False)
    assert put_stages_right(case).startswith(f"not mended: {MODEL}: There is no version")


def test_weights_that_serve_and_are_gone_or_others_are_told_with_the_command(
    project: Project,
) -> None:
    weights = project.root / FOLDER / "model.safetensors"
    weights.write_bytes(b"other weights")
    check = look(project)
    assert (check.state, "are not those of" in check.found) == ("error", True)
    assert BACK in check.mend
    shutil.rmtree(weights.parent)
    check = look(project)
    assert (check.state, f"are not in {FOLDER}" in check.found) == ("error", True)
    assert BACK in check.mend


def test_parameters_that_no_commit_has_are_told(project: Project) -> None:
    file = project.root / "params.yaml"
    file.write_text(file.read_text().replace(f"  {MODEL}:", "  other:"))
    assert look(project).state == "warn", "only what is committed counts"
    Versioned(project.root).commit("Another model")
    check = look(project)
    assert (check.state, f"has no models.{MODEL}" in check.found) == ("error", True)
    assert "params.yaml" in check.mend


def test_remote_that_cannot_be_written_is_told(project: Project) -> None:
    remote = project.root / "data" / "dvc-remote"
    shutil.rmtree(remote, ignore_errors=True)
    remote.write_text("not a folder")
    check = look(project)
    assert (check.state, "data/dvc-remote" in check.found) == ("error", True)
    remote.unlink()
    assert look(project).state == "warn", "it is made when it is needed"


def test_adapter_that_serves_and_is_gone_is_told_with_the_command(tmp_path: Path) -> None:
    made = voiced(tmp_path, documents=1)
    made.promote()
    assert "the weights of" not in look(made.project).found
    (tmp_path / model_folder(VOICE, "v0.0.1")).rmdir()
    check = look(made.project)
    assert (check.state, check.found) == (
        "error",
        f"the weights of {VOICE} v0.0.1, which serves, are not in data/models/{VOICE}/v0.0.1",
    )
    assert f"staleproof promote {VOICE} v0.0.1" in check.mend
