"""Who may see and learn from a document: findings, the calendar, and the domain that says so."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines.config import load_config
from pipelines.planning import (
    Policy,
    Published,
    Remembered,
    Rules,
    is_expired,
    labels_today,
    plan_changes,
    rules_on,
    trainable,
)
from pipelines.planning.access import NOBODY, shows_beyond, withheld_by_age
from pipelines.records import Failure, FrontMatter
from tests.plans import GRANT, TODAY, domain, found, published, rules, withheld_today, world

CLOSED = replace(GRANT, train=False)
PAST = FrontMatter(valid_until=(TODAY - timedelta(days=1)).isoformat())
LAST_DAY = FrontMatter(valid_until=TODAY.isoformat())
LATER = FrontMatter(valid_until=(TODAY + timedelta(days=1)).isoformat())
WITHHOLD = rules(domain(expired="withhold"))
ALL = frozenset(GRANT.labels)


@pytest.mark.parametrize(
    ("findings", "policy", "train"),
    [
        ([], {"secrets": "no-training"}, True),
        (["secrets"], {}, True),
        (["secrets"], {"secrets": "quarantine"}, True),
        (["secrets"], {"secrets": "warn"}, True),
        (["secrets"], {"secrets": "no-training"}, False),
        (["secrets"], {"personal_data": "no-training"}, True),
        (["personal_data"], {"personal_data": "no-training"}, False),
        (["personal_data", "secrets"], {"secrets": "no-training"}, False),
        (["rumours"], {"secrets": "no-training"}, True),
    ],
)
def test_finding_forbids_training_where_the_domain_says_so(
    findings: list[str], policy: dict[str, str], train: bool
) -> None:
    here = rules(domain(**policy))
    assert trainable(GRANT, findings, here) == replace(GRANT, train=train)
    assert trainable(CLOSED, findings, here) == CLOSED, "nothing grants training"


def test_another_domain_forbids_nothing() -> None:
    elsewhere = rules(domain("law", secrets="no-training"))
    assert trainable(GRANT, ["secrets"], elsewhere) == GRANT
    law = replace(GRANT, domain="law")
    assert trainable(law, ["secrets"], elsewhere) == replace(law, train=False)


def test_last_day_is_the_last_on_which_a_document_holds() -> None:
    assert [is_expired(asked, TODAY) for asked in (PAST, LAST_DAY, LATER)] == [True, False, False]
    assert not is_expired(FrontMatter(), TODAY)
    assert not is_expired(None, TODAY)


def test_only_a_domain_that_says_so_withholds_what_is_past() -> None:
    assert withheld_by_age("general", PAST, WITHHOLD)
    assert not withheld_by_age("general", LAST_DAY, WITHHOLD)
    assert not withheld_by_age("law", PAST, WITHHOLD)
    assert not withheld_by_age("general", PAST, rules(domain(expired="attention")))
    assert not withheld_by_age("general", PAST, rules())


def test_configuration_is_compiled_for_a_day(tmp_path: Path) -> None:
    file = tmp_path / "staleproof.toml"
    file.write_text(
        '[knowledge]\nname = "kb"\nstore = "store"\n'
        '[[domains]]\nname = "law"\nexpired = "withhold"\n'
        '[[sources]]\nname = "docs"\nkind = "files"\npath = "docs"\ndomain = "law"\nlabels = ["hr"]\n'
    )
    compiled = rules_on(load_config(file, env={}), TODAY)
    assert (dict(compiled), compiled.on) == ({"docs": compiled["docs"]}, TODAY)
    assert compiled.domain("law").expired == "withhold"
    assert compiled.domain("other").expired == "attention"


def labels(
    document: Published | None,
    here: Rules = WITHHOLD,
    *,
    uri: str = "docs/a.md",
    remembered: Mapping[str, Remembered] | None = None,
) -> frozenset[str]:
    newest = {} if document is None else {document.uri: document}
    return labels_today(uri, sources=here, newest=newest.get, remembered=(remembered or {}).get)


def test_nobody_may_see_what_is_past() -> None:
    assert labels(published("a.md", "1", asked=PAST)) == NOBODY
    assert labels(published("a.md", "1", asked=LAST_DAY)) == ALL
    assert labels(published("a.md", "1", asked=PAST), rules()) == ALL


def test_newest_version_may_end_a_document_sooner_and_never_later() -> None:
    def seen(shown: FrontMatter | None, newest: FrontMatter | None) -> frozenset[str]:
        known = {"docs/a.md": Remembered("2", newest)}
        return labels(published("a.md", "1", asked=shown), remembered=known)

    assert seen(LATER, PAST) == NOBODY
    assert seen(PAST, LATER) == NOBODY
    assert seen(PAST, None) == NOBODY
    assert seen(None, PAST) == NOBODY
    assert seen(LATER, LATER) == ALL


def test_version_in_quarantine_prolongs_nothing() -> None:
    old = published("a.md", "1", asked=PAST)
    failed = {("docs/a.md", "2"): Failure("has_text", "0")}
    seen = world([found("a.md", "2", LATER)], [old], sources=WITHHOLD, quarantined=failed)
    plan = plan_changes(seen)
    assert plan.changes == ()
    assert withheld(old, plan.remembered) == {"docs/a.md"}
    longer = published("a.md", "2", asked=LATER)
    assert withheld(longer, plan.remembered) == set(), "once it is published it counts"


def withheld(document: Published, remembered: Mapping[str, Remembered]) -> frozenset[str]:
    return withheld_today({document.uri: document}, WITHHOLD, remembered)


@pytest.mark.parametrize(
    ("path", "chosen", "withholding", "seen"),
    [
        ("a.md", None, "general", False),
        ("a.md", None, "it", True),
        ("a.md", "it", "it", False),
        ("a.md", "it", "general", True),
        ("a.md", "law", "law", True),
        ("a.md", "law", "general", False),
        ("law/a.md", None, "law", False),
        ("law/a.md", None, "general", True),
        ("law/a.md", "it", "law", True),
        ("law/a.md", "it", "it", False),
    ],
)
def test_domain_is_the_granted_one_or_the_one_that_the_document_may_choose(
    path: str, chosen: str | None, withholding: str, seen: bool
) -> None:
    document = published(path, "1", asked=replace(PAST, domain=chosen))
    here = rules(domain(withholding, expired="withhold"))
    assert (labels(document, here, uri=f"docs/{path}") != NOBODY) is seen


def test_source_that_left_goes_by_the_domain_of_its_rows() -> None:
    gone = Rules({}, TODAY, {"law": domain("law", expired="withhold")})
    policy = Policy("law", ("hr",), True)
    assert labels(published("a.md", "1", asked=PAST, policy=policy), gone) == NOBODY
    assert labels(published("a.md", "1", asked=LATER, policy=policy), gone) == {"hr"}
    assert labels(published("a.md", "1", asked=PAST), gone) == ALL, "another domain"
    known = {"docs/a.md": Remembered("2", PAST)}
    assert labels(published("a.md", "1", policy=policy), gone, remembered=known) == NOBODY
    assert labels(None, gone, remembered=known) == NOBODY


def test_document_that_moved_ends_where_it_went() -> None:
    here = rules(domain("law", expired="withhold"))
    known = {
        "docs/a.md": Remembered("1", PAST, moved_to="docs/law/a.md"),
        "docs/law/a.md": Remembered("1", PAST),
    }
    assert labels(published("a.md", "1", asked=PAST), here) == ALL
    assert labels(published("a.md", "1", asked=PAST), here, remembered=known) == NOBODY


def test_what_is_past_is_withheld_and_not_relabelled() -> None:
    old = published("a.md", "1", asked=PAST, policy=Policy("old", ("hr",), True))
    kept = world([], [old], complete=False, sources=WITHHOLD)
    assert plan_changes(kept).changes == ()
    assert plan_changes(replace(kept, sources=rules())).changes != ()


def test_a_day_changes_what_is_withheld_and_nothing_else() -> None:
    document = published("a.md", "1", asked=LAST_DAY)
    listed = [found("a.md", "1", LAST_DAY)]
    for day, unseen in ((TODAY, set()), (date(2027, 1, 1), {"docs/a.md"})):
        here = rules(domain(expired="withhold"), on=day)
        assert plan_changes(world(listed, [document], sources=here)).changes == ()
        assert withheld_today({document.uri: document}, here, {}) == unseen


ASKS = (None, FrontMatter(), PAST, LATER, FrontMatter(labels=("hr",)), FrontMatter(domain="it"))


@pytest.mark.parametrize(
    "here", [WITHHOLD, Rules({}, TODAY, WITHHOLD.domains)], ids=["there", "left"]
)
def test_many_documents_are_judged_as_each_would_be_alone(here: Rules) -> None:
    """What many have in common is found out once."""
    documents, known = {}, {}
    newest = [None, *(Remembered("2", asked) for asked in ASKS), Remembered("2", None, True)]
    newest.append(Remembered("2", None, moved_to="nowhere/a.md"))
    policies = [GRANT, replace(GRANT, labels=("hr",)), replace(GRANT, domain="law")]
    for number, (folder, asked, at, policy) in enumerate(
        itertools.product(("", "law/"), ASKS, newest, policies)
    ):
        document = published(f"{folder}{number}.md", "1", asked=asked, policy=policy)
        documents[document.uri] = document
        if at is not None:
            known[document.uri] = at
    alone = {
        uri
        for uri, document in documents.items()
        if shows_beyond(
            document.policy.labels,
            labels_today(uri, sources=here, newest=documents.get, remembered=known.get),
        )
    }
    together = withheld_today(documents, here, known)
    assert together == alone
    assert 0 < len(alone) < len(documents)
