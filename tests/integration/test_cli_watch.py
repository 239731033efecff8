"""The command watch on a model that serves: what it prints, writes, tells, and its exit codes."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pipelines import watch
from tests.command_line import Cli, assert_shape, keys
from tests.observed import VERSION, Observed
from tests.project import source
from tests.retrained import MODEL, text

SHAPE = {
    "look": None,
    "models": [
        {
            **keys("model version verdict reasons exposure worth debt cost next said looks"),
            "signals": [keys("name evidence threshold items effect lower upper says")],
        }
    ],
}
HIDDEN = '[[sources.rules]]\nmatch = "1.md"\nlabels = ["managers"]\n'
FORBIDDEN = '[[sources.rules]]\nmatch = "0.md"\ntrain = false\n'


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the server hears."""
    heard: list[Any] = []

    def tell(config: Any, happened: Any, *, at: Any) -> bool:
        heard.append((happened.event, happened.resource))
        return True

    monkeypatch.setattr("flows.announce.tell_server", tell)
    return heard


@pytest.fixture
def looking(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    told: list[Any],
) -> Cli:
    """A version that learned from four documents serves; one of them is for managers only."""
    project = Observed(tmp_path)
    (tmp_path / "docs").mkdir()
    project.configured(source(more=HIDDEN))
    for number in range(4):
        project.write(f"{number}.md", text(number))
    project.refresh()
    project.served()

    def ports(_: object) -> watch.Ports:
        return watch.Ports(project.load_watched, project.registry.find_version, project.checkout)

    monkeypatch.setattr(import_module("flows.cli.watch"), "_ports", ports)
    return Cli(project, capsys)


def project_of(cli: Cli) -> Observed:
    assert isinstance(cli.project, Observed)
    return cli.project


def test_first_look_is_fresh_and_says_what_is_still_missing(looking: Cli, told: list[Any]) -> None:
    said = looking.json("watch")
    assert_shape(said, SHAPE)
    [model] = said["models"]
    assert (model["model"], model["version"], model["verdict"]) == (MODEL, VERSION, "fresh")
    assert told == [("model.fresh", f"model.{MODEL}")]
    shown = looking("watch", MODEL)
    assert f"{MODEL} {VERSION}: 0 of 1000 questions to compare with" in shown
    assert "not enough seen yet for" in shown
    assert len(told) == 1, "nothing turned"


def test_changed_documents_are_explained_with_titles_for_those_who_may_see_them(
    looking: Cli,
) -> None:
    looking("watch")
    for number in (0, 1):
        looking.project.write(f"{number}.md", f"# Retitled {number}\n\nAltogether otherwise.\n")
    looking("refresh")
    shown = looking("watch", "--explain")
    assert "docs/0.md (Retitled 0)  changed, 3 examples" in shown
    assert "docs/1.md  changed, 3 examples" in shown
    assert "6 examples of 12 rest on documents that changed" in shown
    assert "domain general: exposure" in shown
    assert "docs/1.md (Retitled 1)" in looking("watch", "--explain", "--labels", "managers")
    said = looking.json("watch", "--explain")["models"][0]
    assert said["verdict"] == "watch"
    assert set(said["titles"]) == {"docs/0.md"}


def test_withdrawn_permission_is_stale_and_waits_for_a_person(
    looking: Cli, told: list[Any]
) -> None:
    looking("watch")
    project_of(looking).configured(source(more=FORBIDDEN))
    shown = looking("watch", code=3)
    assert "it learned from a document that may not be learned from today: docs/0.md" in shown
    assert looking.json("watch", code=3)["models"][0]["verdict"] == "stale"
    assert told[-1] == ("model.stale", f"model.{MODEL}")
    assert [event for event, _ in told].count("model.stale") == 1


def test_page_of_a_model_is_written_where_there_is_something_to_show(looking: Cli) -> None:
    page = looking.project.root / "looks.html"
    assert f"wrote  {page}" in looking("watch", "--html", str(page))
    assert f"{MODEL} {VERSION}" in page.read_text()
    looking("rollback", "1")
    page.unlink()
    assert looking.json("watch", "--html", str(page))["page"] is None
    assert not page.exists()


def test_replay_sets_other_policies_beside_the_one_in_force(looking: Cli) -> None:
    looking("watch")
    looking.project.remove("0.md")
    looking("refresh")
    looking("watch")
    bold = looking.project.root / "calm.toml"
    bold.write_text("[models.watch]\nwatch_exposure = 0.9\n")
    said = looking.json("watch", "--replay", "--policy", str(bold))
    [model] = said["models"]
    sums = {one["policy"]: (one["looks"], one["watch"]) for one in model["policies"]}
    assert sums == {"in force": (2, 1), "calm": (2, 0)}
    shown = looking("watch", MODEL, "--replay", "--policy", str(bold))
    assert "2 looks that were kept" in shown
    bold.write_text("[models.watch]\nwatch_exposur = 0.9\n")
    error = looking.json("watch", "--replay", "--policy", str(bold), code=2)["error"]
    assert "did you mean watch_exposure?" in error["message"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("watch tunde", "no model"),
        ("watch --policy x.toml", "--policy goes with --replay only"),
        ("watch --replay --explain", "--replay and --explain do not go together"),
        ("watch --replay --html x.html", "--replay and --html do not go together"),
        ("watch --replay --policy none.toml", "no file none.toml"),
        ("watch --labels hr", "--labels goes with --explain only"),
    ],
)
def test_mistake_in_the_call_is_told(looking: Cli, call: str, said: str) -> None:
    assert said in looking.json(*call.split(), code=2)["error"]["message"]


def test_nothing_published_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli = Cli.on_new_project(tmp_path, capsys)
    assert cli.json("watch", code=2)["error"]["type"] == "PublicationNotFound"
