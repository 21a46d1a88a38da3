"""What was found stands on every view until a full audit is clean, counted whole, and under its chain's name alone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from eventlog.store.mongo.store import operations_of
from tests.browser.conftest import serve_anew, watch
from tests.browser.dashboard import READ, Held, ServedLog, Watched, choose_chain, listed

CHAINS = [f"c-{number:02}" for number in range(22)]
LAST, MANY, ANCHOR, NEW = CHAINS[-1], "many", "no-anchor", "new"
VIEWS = ("overview", "events", "chain", "audits", "keys")
CHANGED = re.compile(
    rf"^TAMPERED: 1 event of {LAST} was changed between [\w :]+ and [\w :]+ UTC\. Show it · What to do now$"
)
INTACT = re.compile(r"Intact\. Last full audit ([\w ]+ )?\d\d:\d\d UTC, 3 events\.")

HOLD = """([chain, count]) => {
  Object.assign(window, { really: window.fetch, held: [], answers: [], holds: true })
  window.enough = new Promise((resolve) => (window.isEnough = resolve))
  window.fetch = (address, options) => {
    if (!window.holds || !new RegExp(`(chain=|chains/)${chain}`).test(address)) return window.really(address, options)
    const answer = window.really(address, { ...options, signal: undefined })
    window.answers.push(answer)
    const later = new Promise((resolve) => window.held.push(() => resolve(answer)))
    if (window.held.length === count) window.isEnough()
    return later
  }
}"""
"""Answers about a chain are held from now on, and come later even to those who don't want them any more."""
RELEASE = """async () => {
  for (const release of window.held) release()
  await Promise.all(window.answers)
  for (let turn = 0; turn < 3; turn += 1) await window.really('/dashboard/config.json').then((found) => found.json())
  return window.answers.length
}"""
"""Let them come, and wait until they have been read."""


@pytest.fixture(scope="module")
def log(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLog]:
    """Twenty-two chains, of which the last one was tampered with, and three more; incremental audits came after it."""
    with serve_anew(mongo_uri, tmp_path_factory.mktemp("log")) as log:
        for chain in (*CHAINS, MANY, ANCHOR):
            count = 300 if chain == MANY else 3
            log.append(*({"event_id": f"e-{n}", "event_type": f"only-{chain}"} for n in range(count)), chain=chain)
            assert log.log.audit("full", chain).status == "intact"
        log.append({}, chain=NEW)
        tamper(log)
        for chain in (LAST, MANY, ANCHOR):
            assert log.log.audit("full", chain).status == "tampered"
        for chain in (LAST, MANY):
            assert log.log.audit("incremental", chain).status == "intact"
        yield log


@pytest.fixture
def look(browser: Browser, log: ServedLog) -> Iterator[Watched]:
    with watch(browser, log.url) as watched:
        yield watched


def tamper(log: ServedLog) -> None:
    events = operations_of(log.store).events
    events.update_one({"chain": LAST, "seq": 1}, {"$set": {"principal": "forged"}})
    events.update_many({"chain": MANY}, {"$set": {"principal": "forged"}})
    next((Path(log.log.folder) / "anchors" / ANCHOR).glob("*.note")).unlink()


def bar(page: Page) -> Any:
    return page.locator("#standing")


def test_every_view_shows_what_stands_and_names_a_tampered_chain_however_many_there_are(look: Watched) -> None:
    for view in VIEWS:
        page = look.open(view=view, chain=LAST)
        expect(bar(page).locator("p").first).to_contain_text(CHANGED)
        expect(page).to_have_title(re.compile("^TAMPERED · "))
        for chain in (MANY, ANCHOR):
            expect(bar(page)).to_contain_text(f"in {chain}: it happened between")
        expect(page.locator("#icon")).to_have_attribute("href", "dashboard/icon-tampered.svg")
    expect(page.locator("#chain")).to_have_text(f"{LAST} (TAMPERED)")
    offered = listed(page)
    assert offered[NEW] == f"{NEW} (not audited yet)"
    assert list(offered)[:3] == [LAST, MANY, ANCHOR]  # by what is wrong, then as the log has them
    assert list(offered).index(NEW) < list(offered).index(CHAINS[0])

    page = look.open(chain=LAST)
    expect(page.locator(".tile").last).to_contain_text("TAMPERED")
    expect(page.locator(".tile", has_text="Verified")).to_contain_text("–")
    expect(page.locator(".strip a.tampered")).to_have_count(1)
    expect(page.locator(".strip li:last-child a")).to_have_class("unmoved")
    table = page.get_by_role("region", name="Chains")
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(20)
    expect(rows.nth(0)).to_contain_text("TAMPERED")
    expect(table.locator(f"tr:has-text('{LAST}')")).to_contain_text("TAMPERED")
    expect(table.locator(f"tr:has-text('{NEW}')")).to_contain_text("not audited yet")
    expect(page.locator("main")).to_contain_text("6 chains more (6 intact)")

    page = look.open(view="events", chain=LAST)  # its row, before anybody opens it, and its detail
    row = page.locator("tbody tr[data-seq='1']")
    expect(row).to_have_class(re.compile("found"))
    expect(row).to_have_attribute("data-check", "failed")
    expect(row.locator(".badge")).to_have_text("TAMPERED")
    expect(page.locator("#rows-checked")).to_have_text(
        "2 of 3 rows match their hashes. 1 event here is not what was logged."
    )
    row.locator("button.open").click()
    notice = page.locator("#detail [data-finding]")
    expect(notice).to_contain_text(
        f"TAMPERED: event 1 of {LAST}. Something of the event other than its payload was changed."
    )
    expect(page.locator("#detail [data-check=failed]")).to_contain_text(
        "Your browser gets a different hash than the log claims."
    )
    notice.get_by_role("link", name="What to do now").click()
    expect(page.locator("main")).to_contain_text(
        "keep everything (a snapshot of the database, the reports, the anchors); change nothing in place"
    )
    expect(page.locator("main ol").first.locator("li")).to_have_count(5)

    bar(page).get_by_role("link", name="Show it").first.click()
    page.wait_for_url(re.compile(rf"chain={LAST}&view=chain&seq=1"))
    expect(page.locator(".chain-picture rect[data-seq='1']")).to_have_class(re.compile("found.*chosen"))
    expect(page.get_by_role("group", name="Findings")).to_contain_text("1 finding stands:")
    page = look.open(view="chain", chain="No%20Such%20Name")  # as in a link that somebody made
    expect(bar(page)).to_contain_text("TAMPERED")
    expect(page.locator("main")).to_contain_text("No events in chain “No Such Name” yet.")


def test_findings_of_no_event_and_more_than_can_be_named_are_shown_or_counted(look: Watched) -> None:
    page = look.open(view="chain", chain=MANY)
    marks = page.get_by_role("group", name="Findings")
    expect(marks).to_contain_text("300 findings stand; 100 of them are named here:")
    expect(marks.locator("> button")).to_have_count(50)
    expect(marks.locator("summary")).to_have_text("50 more")
    expect(marks.locator("details button")).to_have_count(50)

    page = look.open(view="chain", chain=ANCHOR)
    others = page.get_by_role("list", name="Findings that are about no single event")
    expect(others).to_contain_text("checkpoint_missing: anchor 1")
    expect(page.get_by_role("group", name="Findings")).to_contain_text("1 finding stands:")
    bar(page).get_by_role("link", name="Show it").first.click()
    expect(page.get_by_role("heading", name=f"Report on {ANCHOR}")).to_be_visible()

    page = look.open(view="chain", chain=NEW)
    expect(page.locator("main")).to_contain_text("Not audited yet. No full audit of this chain has ended.")
    page = look.open(view="chain", chain=CHAINS[0])
    expect(page.locator("main")).to_contain_text(INTACT)


def test_what_is_of_one_chain_is_never_shown_under_the_name_of_another(look: Watched, log: ServedLog) -> None:
    """In the address, and in answers that come late: they are held until the other chain is shown."""
    (report,) = [one for one in log.log.auditor().reports(LAST, 10, None) if one.status == "tampered"]
    other = CHAINS[0]
    page = look.open(view="audits", chain=LAST, audit=report.audit_id)
    expect(page.get_by_role("heading", name=f"Report on {LAST}")).to_be_visible()
    choose_chain(page, other)
    expect(page.locator("tbody tr").first).to_contain_text("intact")
    expect(page.locator("main")).not_to_contain_text("TAMPERED")
    assert "audit=" not in page.url

    page = look.open(view="audits", chain=other, audit=report.audit_id)
    expect(page.locator(".notice")).to_contain_text(f"The report of this address is about the chain {LAST}.")
    expect(page.locator(".facts")).to_have_count(0)

    for view in ("overview", "events", "chain", "audits"):
        page = look.open(view="keys", chain=other)
        page.evaluate(HOLD, [LAST, 1])  # the bar knows of it already
        page.evaluate(f"history.pushState(null, '', '/?view={view}&chain={LAST}&event=e-1&seq=1')")
        page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
        page.evaluate("window.enough.then(() => (window.holds = false))")
        choose_chain(page, other)
        page.wait_for_selector("main h1")
        assert page.evaluate(RELEASE) > 0, view
        expect(bar(page).locator("p").first).to_be_visible()
        expect(page.locator("main")).not_to_contain_text(f"only-{LAST}")
        expect(page.locator("#chain")).to_have_text(other)
        assert not re.search(r"event=|seq=1|audit=", page.url), view


def test_of_two_events_that_are_chosen_one_after_the_other_the_last_one_is_shown(look: Watched) -> None:
    page = look.open(view="chain", chain=MANY, seq=150)
    facts = page.locator(".facts").first
    expect(facts).to_contain_text(f"150 in {MANY}")
    page.evaluate(HOLD, [MANY, 1])
    page.locator(".chain-picture rect[data-seq='148']").click()
    page.evaluate("window.enough.then(() => (window.holds = false))")
    page.locator(".chain-picture rect[data-seq='152']").click()
    expect(facts).to_contain_text(f"152 in {MANY}")
    page.evaluate(RELEASE)
    expect(facts).to_contain_text(f"152 in {MANY}")


def test_what_was_found_of_an_event_stays_though_the_detail_that_was_begun_before_it_comes_last(look: Watched) -> None:
    page = look.page
    reports, details = Held(page, "/api/v1/audits/"), Held(page, r"/api/v1/events\?.*from_seq=")
    look.open(view="events", chain=LAST, event="e-1")
    reports.wait_for(1)
    details.wait_for(1)  # the detail is on its way, and nothing is known of the finding
    for report in reports.routes:
        report.continue_()
    details.wait_for(2)  # now it is known, and the event is shown again
    details.routes[1].continue_()
    notice = page.locator("#detail [data-finding]")
    expect(notice).to_be_visible()
    with page.expect_response(re.compile("from_seq=")):
        details.routes[0].continue_()
    page.evaluate(READ)
    expect(notice).to_be_visible()


def test_what_is_found_while_an_event_is_verified_is_said_and_interrupts_nothing(look: Watched) -> None:
    page = look.page
    reports, proof = Held(page, "/api/v1/audits/"), Held(page, "/proof")
    look.open(view="events", chain=LAST, event="e-1")
    reports.wait_for(1)
    page.locator("#verify").click()
    proof.wait_for(1)
    reports.release()
    expect(page.locator("#detail [data-finding]")).to_be_visible()
    proof.release()
    expect(page.locator(".verification")).to_have_attribute("data-outcome", "failed")
    expect(page.locator("#detail [data-finding]")).to_be_visible()


def test_what_stood_is_gone_from_every_view_once_a_full_audit_is_clean(look: Watched, log: ServedLog) -> None:
    page = look.open(view="events", chain=LAST)
    expect(bar(page)).to_contain_text(f"of {LAST}")
    events = operations_of(log.store).events
    events.update_one({"chain": LAST, "seq": 1}, {"$set": {"principal": "tester"}})
    assert log.log.audit("full", LAST).status == "intact"
    page = look.open(view="chain", chain=LAST)
    expect(page.locator("main")).to_contain_text(INTACT)
    expect(bar(page)).not_to_contain_text(LAST)
    expect(page.locator("#chain")).to_have_text(LAST)
