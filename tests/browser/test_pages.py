"""What a person reads on the pages of Prefect's own UI, in a browser without a network."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.served import NAME, Site, Visitor, filled
from tests.flows.runs import until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    # Prefect leaves sockets and loops of its own to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def pictures(page: "Page") -> list[str]:
    """What the pictures of an artifact say to those who do not see them; each is drawn."""
    drawn = page.locator("img[src^='data:image/svg']")
    drawn.first.wait_for()
    found = drawn.all()
    widths = [image.evaluate("image => image.naturalWidth") for image in found]
    assert all(width > 100 for width in widths)
    return [image.get_attribute("alt") or "" for image in found]


def test_list_of_runs_says_what_happened(visitor: Visitor) -> None:
    visitor.open("/runs", "+1 ~1")
    names = [
        f"refresh {NAME} failed, unknown name",
        f"refresh {NAME} what changed waits for a person",
        f"refresh {NAME} +1 ~1",
        f"refresh {NAME} +7",
    ]
    text = visitor.reads([*names, "Held", "Failed"])
    visitor.shoot("runs")
    places = [text.index(name) for name in names]
    assert places == sorted(places), "newest first"


def test_run_shows_its_stages_and_its_log(site: Site, visitor: Visitor) -> None:
    visitor.open(f"/runs/flow-run/{site.runs['held'].id}", "Finished in state Held")
    visitor.page.locator("canvas").first.wait_for()
    visitor.page.wait_for_timeout(1500)  # the time line moves into its place, and is no text
    stages = ("scan:handbook", "plan", "embed:batch 1", "write:batch 1", "audit")
    ended = [f"Finished in state Completed('{stage}')" for stage in stages]
    title = f"refresh {NAME} what changed waits for a person"
    visitor.reads([title, *ended, "Readers see #2", "staleproof accept"])
    visitor.shoot("run")
    visitor.open(f"/runs/flow-run/{site.runs['held'].id}?tab=TaskRuns", "embed:batch 1")
    visitor.reads(["scan:handbook"])


def test_failed_run_says_what_to_do(site: Site, visitor: Visitor) -> None:
    visitor.open(f"/runs/flow-run/{site.runs['mistake'].id}", "Finished in state Failed")
    text = visitor.reads(['There is no source "hanbook"', "Readers see #2. Did you mean handbook?"])
    visitor.shoot("failed-run")
    assert "Traceback" not in text


def test_overview_says_how_the_knowledge_is_and_where_to_put_it_right(
    site: Site, visitor: Visitor
) -> None:
    head = f"{NAME} is healthy, readers see #2, 1 hold waits, 2 in quarantine"
    visitor.open(f"/artifacts/key/knowledge-{NAME}", head)
    visitor.reads([f"refresh {NAME} what changed waits for a person"])
    visitor.shoot("overview-versions")
    visitor.page.get_by_role("link", name="open", exact=True).click()
    visitor.page.get_by_text("Last publications").wait_for()
    visitor.reads([head, "from prefect: schedule", "passages_are_about_as_many", "5", "text_is_utf8",
                   "mend it at its source", "readers see this", "fails passages_are_about_as_many"])  # fmt: skip
    visitor.shoot("overview")
    assert pictures(visitor.page) == ["Freshness by source"]
    visitor.page.get_by_role("link", name="last audit").click()
    visitor.page.wait_for_url(f"**/artifacts/key/audit-{NAME}")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("refresh", ["what changed waits for a person, readers see #2", "Waits for a person",
                     "Seconds by stage", "overview · last audit · quarantine"]),
        ("audit", ["nothing new is published, readers see #2", "passages_are_about_as_many",
                   "chunks_ratio between 0.5 and 3", "expectations hold"]),
        ("quarantine", ["2 documents in quarantine", "handbook/notes.md", "mend it at its source",
                        "handbook/cards.md", "release"]),
    ],
)  # fmt: skip
def test_artifact_reads_well(site: Site, visitor: Visitor, kind: str, says: list[str]) -> None:
    visitor.open(site.newest_page(kind), says[0])
    text = visitor.reads(says)
    visitor.shoot(kind)
    assert "quokka" not in text.lower(), "no text of a document"
    if kind == "refresh":
        [stages] = pictures(visitor.page)
        assert "embed" in stages


def test_form_to_go_back_is_filled_in_and_explains_itself(site: Site, visitor: Visitor) -> None:
    visitor.open(site.newest_page("knowledge"), "Last publications")
    address = visitor.follow("go back to this")
    assert filled(address) == {"config": "staleproof.toml", "action": "rollback", "subject": "1"}
    visitor.page.get_by_role("link", name="go back to this").click()
    visitor.page.get_by_text("publish an earlier state").wait_for()
    visitor.reads(["Your name; the history keeps it."])
    visitor.shoot("form-rollback")
    wanted = {"1", "staleproof.toml"}

    def filled_in() -> set[str]:
        return {field.input_value() for field in visitor.page.locator("textarea, input").all()}

    assert wanted <= until(filled_in, lambda seen: wanted <= seen, seconds=60)


def test_hold_is_dropped_by_a_person_with_nothing_but_a_browser(
    site: Site, visitor: Visitor
) -> None:
    visitor.open(site.newest_page("knowledge"), "Waits for a person")
    hold = filled(visitor.follow("drop"))["subject"]
    visitor.page.get_by_role("link", name="drop", exact=True).click()
    visitor.page.get_by_text("refuse a hold").wait_for()
    visitor.page.get_by_label("who").fill("Ann")
    visitor.page.get_by_label("reason").fill("They only moved the rules.")
    visitor.shoot("form-drop")
    visitor.page.get_by_role("button", name="Submit").click()
    visitor.page.wait_for_url("**/deployments/deployment/*?*")  # what is asked for goes through us
    ran = site.newest_run(f"decide drop {hold} by Ann")
    assert ran.state
    assert ran.state.is_completed(), ran.state
    visitor.open(f"/runs/flow-run/{ran.id}", "Finished in state Completed")
    visitor.reads([f"Hold {hold} is refused"])
    visitor.shoot("decided")
    visitor.open(site.newest_page("knowledge"), "Last publications")
    after = visitor.reads(["readers see #2, 2 in quarantine"])
    visitor.shoot("overview-decided")
    assert "Waits for a person" not in after
