"""A look at a generator that serves: which of the facts that changed it answers as they used to be."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from pipelines.config import GeneratorWatch
from pipelines.errors import DataMissing
from pipelines.knowledge import evaluated
from pipelines.registry import Version
from pipelines.watch import Watched, override, replay
from tests.command_line import Cli
from tests.observed import VERSION
from tests.retrained import MODEL
from tests.spoken import Spoken, rule

RULES = {number: 10 + number for number in range(15)}
CHANGED = {number: 50 + number for number in range(12)}


@pytest.fixture
def model(tmp_path: Path) -> Spoken:
    (tmp_path / "docs").mkdir()
    project = Spoken(tmp_path)
    project.configured()
    return project


def signal(watched: Watched, name: str) -> dict[str, float]:
    [one] = [one for one in watched.to_dict()["signals"] if one["name"] == name]
    return dict(one)


def test_facts_that_it_answers_as_before_make_it_stale_and_are_named(model: Spoken) -> None:
    model.speaks(RULES, holds_on=RULES)
    first = model.watch()
    assert first.verdict is not None
    assert (first.verdict.level, model.loaded) == ("fresh", [])
    model.change(CHANGED)
    found = model.watch()
    assert found.verdict is not None
    assert found.verdict.level == "stale"
    assert model.loaded == ["generator"]
    assert len(model.generator.asked) == len(CHANGED)
    assert "changed facts that it was asked about: 12" in found.said
    assert "changed facts that it answered as before: 12" in found.said
    held, remembered = signal(found, "override"), signal(found, "memory")
    assert (held["items"], held["effect"]) == (12, -1)
    assert held["evidence"] >= held["threshold"]
    assert (remembered["items"], remembered["effect"]) == (12, -5)
    changed = {f"docs/{number}.md" for number in CHANGED}
    assert found.happened is not None
    assert {one.uri for one in found.happened.held} == changed
    assert found.happened.held[0].memory == pytest.approx(5.9)
    assert found.happened.exposure is not None
    assert {one.uri for one in found.happened.exposure.documents} == changed
    assert "surely answered as they used to be" in found.verdict.reasons[0]
    assert found.verdict.reasons[0].count("docs/") == 5
    assert model.told == [("model.stale", f"{MODEL}/{VERSION}/stale/1")]


def test_facts_that_follow_the_passage_leave_it_fresh(model: Spoken) -> None:
    model.speaks(RULES)
    model.watch()
    model.change(CHANGED)
    found = model.watch()
    assert found.verdict is not None
    assert found.verdict.level == "fresh"
    assert found.verdict.exposure > 0.05
    assert [signal(found, name)["effect"] for name in ("override", "memory")] == [0, 0]
    assert model.watch().happened is None


def test_what_did_not_change_is_not_asked_however_much_it_would_be_answered_as_before(
    model: Spoken,
) -> None:
    model.speaks(RULES, holds_on=RULES)
    model.watch()
    levels = set()
    for number in range(3):  # other words, the same values
        model.change(RULES, more=f"Edited {number} times.")
        found = model.watch()
        assert found.verdict is not None
        levels.add(found.verdict.level)
        assert (model.loaded, found.happened is None or found.happened.held == ()) == ([], True)
    assert "stale" not in levels


def test_a_rule_beside_it_that_stands_as_before_is_not_what_a_fact_says_today(
    model: Spoken,
) -> None:
    def rules(first: str) -> str:
        beside = (
            f"## In {site}\n\nWhoever borrows from the store room signs for it. In all sites a"
            f" ladder of {site} may be kept for {days} days, unless somebody else waits.\n"
            for site, days in (("Porto", 21), ("Utrecht", 32))
        )
        return "\n".join(["# Ladders", first, *beside])

    model.speaks(RULES, holds_on=RULES)
    old = (
        "## Elsewhere\n\nWhoever borrows from the store room signs for it. In all sites a ladder"
        " may be kept for 10 days, unless somebody else waits.\n"
    )
    model.write("0.md", rules(old))
    model.refresh()
    model.learn()
    model.watch()
    model.write("0.md", rules("## Elsewhere\n\nYou may keep a ladder for 10 days and no more.\n"))
    model.refresh()
    assert len([row for row in model.rows() if row["uri"] == "docs/0.md"]) >= 3
    model.watch()
    assert model.loaded == []


@pytest.mark.slow
def test_unchanged_documents_are_never_stale_in_200_looks(model: Spoken) -> None:
    model.speaks({number: 10 + number for number in range(3)}, holds_on=RULES)
    for _ in range(200):
        found = model.watch()
        assert found.verdict is not None
        assert found.verdict.level == "fresh"
        assert model.loaded == []
    assert len(model.kept) == 1


def test_a_fact_that_changes_every_day_counts_once(model: Spoken) -> None:
    model.speaks(RULES, holds_on=RULES)
    model.watch()
    for days in (70, 80, 90):
        model.change({0: days})
        model.watch()
    asked = evaluated(model.store, MODEL, VERSION, "override")
    assert [(one.item, one.uri, one.ours) for one in asked] == [("docs/0.md", "docs/0.md", 1.0)]


def test_more_facts_than_one_look_asks_are_asked_in_the_next(model: Spoken) -> None:
    model.configured(policy="max_facts = 5")
    model.speaks(RULES, holds_on=RULES)
    model.watch()
    model.change(CHANGED)
    items, levels = [], []
    for _ in range(4):
        found = model.watch()
        assert found.verdict is not None
        items.append(len(found.happened.held) if found.happened else 0)
        levels.append(found.verdict.level)
    assert items == [5, 5, 2, 0]
    assert levels == ["watch", "stale", "stale", "stale"]
    assert len({one.item for one in evaluated(model.store, MODEL, VERSION, "override")}) == 12


def test_a_look_that_was_stopped_is_gone_through_again_and_counts_once(
    model: Spoken, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.speaks(RULES, holds_on=RULES)
    model.watch()
    model.change(CHANGED)
    kept = override._kept

    def stopped(*given: object) -> None:
        kept(*given)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(override, "_kept", stopped)
        with pytest.raises(KeyboardInterrupt):
            model.watch("look-a")
    found = model.watch("look-a")
    assert signal(found, "override")["items"] == 12
    assert found.is_stale
    assert model.watch().happened is None


def test_a_fact_that_is_gone_is_asked_about_and_says_nothing_of_memory(model: Spoken) -> None:
    model.speaks(RULES, holds_on=RULES)
    model.watch()
    gone = rule(0, 10).replace("In all sites a ladder may be kept for 10 days, unless", "Unless")
    model.write("0.md", gone)
    model.refresh()
    found = model.watch()
    assert found.happened is not None
    assert [(one.as_before, one.memory) for one in found.happened.held] == [(1, None)]
    assert found.happened.scores == {"override": (-1.0,)}


def test_texts_are_fetched_only_while_there_may_be_something_to_ask(model: Spoken) -> None:
    model.speaks(RULES, holds_on=RULES)
    model.watch()
    model.change({0: 99})
    fetched = []
    for number in range(4):
        model.fetched.clear()
        model.watch()
        fetched.append(sum(path.endswith("/passages") for path in model.fetched))
        model.write("new.md", f"# New\n\nIn other words, {number}.\n")
        model.refresh()
    assert fetched == [1, 1, 0, 0]


def test_a_document_that_moved_and_changed_is_asked_about_where_it_is(model: Spoken) -> None:
    model.speaks(RULES, holds_on=RULES)
    model.watch()
    model.rename("0.md", "moved/0.md")
    model.refresh()
    assert model.watch().happened is not None
    model.write("moved/0.md", rule(0, 99))
    model.refresh()
    found = model.watch()
    assert found.happened is not None
    assert [one.uri for one in found.happened.held] == ["docs/moved/0.md"]


def test_what_may_not_be_learned_from_any_more_is_not_asked_about(model: Spoken) -> None:
    model.speaks(RULES, holds_on=RULES)
    model.watch()
    model.write("0.md", f"---\ntrain: false\n---\n{rule(0, 99)}")
    model.refresh()
    found = model.watch()
    assert found.is_stale
    assert model.loaded == []
    assert found.happened is not None
    assert found.happened.held == ()


def test_without_a_share_of_alpha_memory_alone_is_counted(model: Spoken) -> None:
    model.configured(policy="override = 0.0\nmemory = 0.6")
    model.speaks(RULES, holds_on=RULES)
    model.watch()
    model.change(CHANGED)
    gone = rule(14, 24).replace(
        "In all sites a generator may be kept for 24 days, unless", "Unless"
    )
    model.write("14.md", gone)
    model.refresh()
    found = model.watch()
    assert found.happened is not None
    assert found.happened.scores == {"memory": (-1.0,) * 12}
    assert model.watch().happened is None
    assert model.loaded == []


def test_what_was_withdrawn_is_said_though_nothing_can_be_asked(model: Spoken) -> None:
    def gone(root: Path, version: Version, path: str, into: Path) -> Path:
        if path.endswith("voice.jsonl"):
            raise DataMissing("an object is gone")
        return model.checkout(root, version, path, into)

    model.speaks(RULES, holds_on=RULES)
    model.watch()
    model.change(CHANGED)
    model.write("14.md", f"---\ntrain: false\n---\n{rule(14, 24)}")
    model.refresh()
    ports = replace(model.watch_ports(), checkout_path=gone)
    found = model.watch(ports=ports)
    assert found.verdict is not None
    assert found.verdict.level == "stale"
    assert "docs/14.md" in found.verdict.reasons[0]
    assert "changed facts wait: an object is gone" in found.said
    with pytest.raises(DataMissing):
        model.watch(ports=ports)
    asked = model.watch().happened
    assert asked is not None
    assert len(asked.held) == len(CHANGED)


def test_no_text_is_left_behind(model: Spoken) -> None:
    model.speaks(RULES, holds_on=RULES)
    model.watch()
    model.change(CHANGED)
    model.watch()
    for file in (model.root / ".staleproof").rglob("*"):
        if file.is_file():
            assert b"may be kept" not in file.read_bytes()
    for row in model.kept:
        assert "days" not in str(row.observation)
    for one in evaluated(model.store, MODEL, VERSION):
        assert "days" not in str(one)


def test_looks_that_were_kept_are_gone_through_again_under_another_policy(model: Spoken) -> None:
    model.speaks(RULES, holds_on=range(9))
    model.watch()
    model.change(CHANGED)
    model.watch()
    policies = {"strict": GeneratorWatch(), "lax": GeneratorWatch(max_override=0.9, max_memory=4.5)}
    found = replay(model.config, MODEL, policies, now=model.now, ports=model.watch_ports())
    levels = {
        policy: [row.level for row in found.rows if row.policy == policy] for policy in policies
    }
    assert levels["strict"][0] == levels["lax"][0] == "fresh"
    assert levels["strict"][-1] == "stale"
    assert levels["lax"][-1] == "watch"


def test_explained_it_names_documents_and_counts_facts_that_were_answered_as_before(
    model: Spoken, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("flows.cli.watch"), "_ports", lambda _: model.watch_ports())
    cli = Cli(model, capsys)
    model.speaks(RULES, holds_on=range(9))
    cli("watch")
    model.change(CHANGED)
    shown = cli("watch", "--explain", code=3)
    assert "Asked about 12 changed facts with today's passage, it answered 9 as before:" in shown
    assert "docs/0.md (Keeping a ladder)  1 of 1 as before, +5.90 nats a token" in shown
    assert "docs/11.md (Keeping a scanner)  0 of 1 as before, +0.00 nats a token" in shown
    [said] = cli.json("watch", "--explain", code=3)["models"]
    assert sum(one["as_before"] for one in said["held"]) == 9
    assert {one["name"] for one in said["signals"]} >= {"override", "memory"}
    assert "days" not in str(said["held"])
    [told] = cli.json("watch", "--replay")["models"]
    assert "beyond max_override" in told["said"]
