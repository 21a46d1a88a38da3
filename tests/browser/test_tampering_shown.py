"""What somebody changed in MongoDB is red where it is: found by an audit from the page, in words, at its place."""

import re

import pytest
from playwright.sync_api import Page, expect

from eventlog.store.mongo.store import operations_of
from tests.browser.dashboard import ServedLog, Watched

DAMAGED = 7


@pytest.fixture
def filled(log: ServedLog) -> ServedLog:
    log.append(*({"event_id": f"e-{n}", "payload": {"amount": n}} for n in range(30)))
    assert log.log.audit("full").status == "intact"
    return log


@pytest.fixture
def audited(look: Watched, filled: ServedLog, request: pytest.FixtureRequest) -> Page:
    """The page after an audit that was run from it, of a log that was changed as the test says."""
    events = operations_of(filled.store).events
    if request.param == "edited":
        filled.edit(f"e-{DAMAGED}", {"payload": '{"amount":1000000}'})
    else:
        events.delete_one({"_id": f"main/e-{DAMAGED}"})
    page = look.open(view="audits")
    page.get_by_role("button", name="Audit everything").click()
    expect(page.get_by_role("heading", name="Report")).to_be_visible()
    return page


@pytest.mark.parametrize("audited", ["edited"], indirect=True)
def test_an_edited_event_is_marked_wherever_it_is_seen(audited: Page, filled: ServedLog) -> None:
    page = audited
    expect(page.locator(".facts").first).to_contain_text("TAMPERED")
    found = page.locator(".error li")
    expect(found).to_have_count(1)
    expect(found).to_contain_text("The payload is not the one that was logged.")
    found.get_by_role("link", name=f"Event {DAMAGED}", exact=True).click()
    page.wait_for_url(re.compile(rf"view=chain&seq={DAMAGED}"))
    box = page.locator(f".chain-picture rect[data-seq='{DAMAGED}']")
    expect(box).to_have_class(re.compile("found.*chosen"))
    expect(box).to_have_attribute("aria-label", re.compile("finding: payload_mismatch"))
    expect(page.locator(".chain-picture rect.found")).to_have_count(1)
    expect(page.locator("main .error").first).to_contain_text("payload_mismatch")

    page.get_by_role("link", name="Event log: overview").click()
    expect(page.locator(".strip li:last-child a")).to_have_class("tampered")
    assert page.locator(".strip li:last-child a").get_attribute("aria-label") == page.locator(
        ".strip li:last-child a"
    ).get_attribute("title")
    expect(page.locator(".tile").last).to_contain_text("TAMPERED")

    filled.log.audit("incremental")  # looks at what is new, and says nothing of what the full one found
    page.goto(f"{filled.url}/?view=chain&seq=20")
    marks = page.get_by_role("group", name="Findings")
    marks.get_by_role("button", name=f"{DAMAGED}: payload_mismatch").click()
    expect(page.locator(f".chain-picture rect[data-seq='{DAMAGED}']")).to_have_class(re.compile("found.*chosen"))


@pytest.mark.parametrize("audited", ["deleted"], indirect=True)
def test_a_deleted_event_is_shown_as_missing(audited: Page, filled: ServedLog) -> None:
    page = audited
    found = page.locator(".error li", has_text="An event is gone.")
    found.get_by_role("link", name=f"Event {DAMAGED}", exact=True).click()
    box = page.locator(f".chain-picture rect[data-seq='{DAMAGED}']")
    expect(box).to_have_attribute("aria-label", re.compile(f"{DAMAGED} missing"))
    expect(box).to_have_class(re.compile("found"))
    expect(page.locator("main")).to_contain_text(f"Event {DAMAGED} is not there.")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.locator(".facts").first).to_contain_text(f"{DAMAGED + 1} in main")
    page.goto(f"{filled.url}/?view=events&live=on")
    expect(page.locator("#events-status")).to_contain_text("Live")
