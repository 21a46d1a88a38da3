"""What goes wrong is said in every view, in the log's own words, and can be tried again."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from eventlog.store.mongo.store import operations_of
from tests.browser.conftest import serve_anew, watch
from tests.browser.dashboard import ServedLog, Watched, listed

VIEWS = ("overview", "events", "chain", "audits")
EMPTY = {
    "overview": "No events in chain",
    "events": "No events in chain",
    "chain": "No events in chain",
    "audits": "No audit has run",
}
WORDS = "MongoDB is away; try again soon"


@pytest.fixture(scope="module")
def shared(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLog]:
    with serve_anew(mongo_uri, Path(tmp_path_factory.mktemp("log"))) as log:
        log.append({"event_id": "a"}, {"event_id": "b" * 64, "event_type": "t" * 128, "source_id": "s" * 128})
        log.append({}, chain="c" * 64)
        log.log.audit_all("full")
        yield log


@pytest.fixture
def look(browser: Browser, shared: ServedLog) -> Iterator[Watched]:
    with watch(browser, shared.url) as look:
        yield look


def answering(status: int) -> Callable[[Route], None]:
    problem = {"type": "about:blank", "title": "Unavailable", "status": status, "detail": WORDS}
    return lambda route: route.fulfill(status=status, content_type="application/problem+json", body=json.dumps(problem))


def test_a_view_that_can_not_be_had_says_why(look: Watched) -> None:
    page = look.open(view="keys")
    for view, status in product(VIEWS, (500, 503)):
        page.route("**/api/**", answering(status))
        page.locator(f"#nav a[href*='view={view}']").click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text(WORDS)
        page.unroute("**/api/**")
        alert.get_by_role("button", name="Try again").click()
        expect(alert).to_have_count(0)
        expect(page.locator("main .card").first).to_be_visible()
        page.locator("#nav a[href*='view=keys']").click()
        expect(page.locator("#vkey")).to_be_visible()


def test_a_log_that_can_not_be_reached_is_said(look: Watched) -> None:
    look.page.route("**/api/**", lambda route: route.abort())
    page = look.open()
    expect(page.get_by_role("alert")).to_contain_text("Can’t reach the server")
    page.unroute("**/api/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".tile").first).to_contain_text("2")


def test_a_page_that_can_not_learn_which_log_it_is_of_says_so(look: Watched) -> None:
    """Without the log's name every checkpoint would look like another log's."""
    path = "**/dashboard/config.json"
    look.page.route(path, lambda route: route.fulfill(status=429, body='{"message":"Too Many Requests"}'))
    page = look.open()
    expect(page.get_by_role("alert")).to_contain_text("can’t learn now which log this is (429)")
    page.unroute(path)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".tile").first).to_contain_text("2")
    assert look.troubles.pop() == f"429 {look.home}/dashboard/config.json"


def verify(page: Page) -> None:
    page.get_by_role("link", name="Events").click()
    page.locator("tr[data-id=a] button.open").click()
    page.get_by_role("button", name="Verify in my browser").click()


@pytest.mark.parametrize(
    ("path", "open_it"),
    [
        ("**/stats*by=*", lambda page: page.get_by_role("link", name="Overview", exact=True).click()),
        ("**/proof*", verify),
        ("**/events/a*", lambda page: page.goto(page.url.split("?")[0] + "?view=events&event=a")),
    ],
    ids=["figures", "proof", "event"],
)
def test_a_part_that_can_not_be_had_leaves_the_rest(look: Watched, path: str, open_it: Callable[[Page], None]) -> None:
    page = look.open(view="keys")
    page.route(path, answering(503))
    open_it(page)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(WORDS)
    expect(page.locator(".card").nth(1)).to_be_visible()
    page.unroute(path)
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_have_count(0)


def test_an_audit_that_can_not_begin_is_said(look: Watched) -> None:
    page = look.open(view="audits")
    page.route("**/audits", answering(503))
    page.get_by_role("button", name="Audit everything").click()
    expect(page.get_by_role("alert")).to_contain_text(WORDS)
    page.unroute("**/audits")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Report")).to_be_visible()


def test_a_wrong_filter_stays_to_be_corrected(look: Watched) -> None:
    page = look.open(view="events", start_time="yesterday")
    expect(page.locator("#start_time-error")).to_contain_text("RFC 3339")
    page.fill("#start_time", "2020-01-01T00:00:00Z")
    page.locator("#filter").click()
    expect(page.locator("tbody tr")).to_have_count(2)


def test_a_chain_without_anything_says_so(look: Watched) -> None:
    for view, words in EMPTY.items():
        expect(look.open(view=view, chain="empty").locator(".empty").first).to_contain_text(words)


def test_long_names_need_no_sideways_scrolling(look: Watched) -> None:
    for view in [*VIEWS, "keys", "runbook"]:
        page = look.open(view=view, chain="main", **({"event": "b" * 64} if view == "events" else {}))
        page.wait_for_load_state("networkidle")
        for width in (1024, 768, 360):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")  # once it is drawn anew


def test_the_focus_stays_where_it_was_used(look: Watched) -> None:
    page = look.open(view="chain", seq=0)
    expect(page.locator(".facts")).to_be_visible()
    page.locator("#next").click()
    expect(page.locator(".facts")).to_contain_text("1 in main")
    expect(page.locator("main")).to_be_focused()  # there is no next one any more
    page.locator("#previous").press("Enter")
    expect(page.locator(".facts")).to_contain_text("0 in main")
    page.locator("#zoom").focus()
    page.locator("#zoom").select_option("8")
    expect(page.locator(".facts")).to_be_visible()
    expect(page.locator("#zoom")).to_be_focused()
    page.get_by_role("link", name="Audits").press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_what_is_shown_in_detail_is_announced_in_a_few_words(look: Watched) -> None:
    page = look.open(view="events")
    page.locator("tr[data-id=a] button.open").click()
    expect(page.locator("#announced")).to_have_text("Event 0 is shown in detail.")
    page.get_by_role("button", name="Verify in my browser").click()
    expect(page.locator("#announced")).to_have_text(re.compile("All hashes match"))
    assert page.locator("[aria-live] pre, [role=status] pre").count() == 0


def test_a_key_for_the_chain_is_named_and_not_offered(look: Watched, shared: ServedLog) -> None:
    page = look.open(view="keys")
    expect(page.locator("#coverage")).to_contain_text("No key is pinned for the chain main")
    expect(page.locator("#coverage code")).to_have_text("example.com/log/main")
    assert shared.vkey not in page.content()
    page.fill("#vkey", shared.vkey)
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.locator("#coverage")).to_contain_text("A key is pinned for the chain main")
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#coverage")).to_contain_text("No key is pinned")


def test_nothing_in_the_page_sets_styles_or_reads_html() -> None:
    """The policy would refuse it; here it is not even tried."""
    folder = Path(__file__).parents[2] / "functions/query/dashboard"
    for path in [*folder.rglob("*.js"), folder / "index.html"]:
        if "vendor" not in path.parts:
            text = path.read_text(encoding="utf-8")
            found = re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\bstyle=|\beval\(", text)
            assert (path.name, found) == (path.name, [])
            assert text.count("\n") < 250


def test_a_damaged_chain_is_shown_as_that_and_hides_no_other(browser: Browser, log: ServedLog) -> None:
    for chain in ("aaa", "main", "zzz"):
        log.append({}, {}, chain=chain)
    operations_of(log.store).sequences.update_one({"_id": "aaa"}, {"$unset": {"settled": 1}})
    with watch(browser, log.url) as look:
        page = look.open()
        rows = page.get_by_role("region", name="Chains").locator("tbody tr")
        expect(rows).to_have_count(3)
        expect(rows.nth(0)).to_contain_text("DAMAGED")
        expect(rows.nth(2)).to_contain_text("zzz2")
        assert listed(page) == {name: f"{name} (not audited yet)" for name in ("aaa", "main", "zzz")}
        for view in ("overview", "chain"):
            page = look.open(view=view, chain="aaa")
            expect(page.get_by_role("alert")).to_contain_text("chain aaa is damaged")
        expect(page.locator("#standing")).to_contain_text("Damaged: the log can’t read what is stored of this chain.")
        assert log.log.audit("full", "aaa").status == "tampered"
        page = look.open(view="overview", chain="aaa")
        expect(page.get_by_role("alert")).to_contain_text("chain aaa is damaged")
        expect(page.locator("ul.strip a.tampered")).to_have_count(1)
        expect(page.get_by_role("region", name="Chains").locator("tbody tr").nth(0)).to_contain_text("TAMPERED")
        page = look.open(view="chain", chain="aaa")
        expect(page.get_by_label("Findings that are about no single event")).to_contain_text("sequence_mismatch")
        expect(page.locator("#standing")).to_contain_text("TAMPERED: 1 finding in aaa: it happened before")


def test_events_that_take_several_pages_are_all_in_the_picture(browser: Browser, log: ServedLog) -> None:
    log.append(*[{"payload": {"q": "\x7f" * 262_000}} for _ in range(7)])
    with watch(browser, log.url) as look:
        page = look.open(view="chain", zoom="8")
        expect(page.locator("rect.event")).to_have_count(7)
        expect(page.locator("rect.found")).to_have_count(0)
