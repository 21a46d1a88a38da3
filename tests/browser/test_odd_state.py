"""What addresses, names and times can be: chains without number, words that every object has, the ends of time."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from eventlog.formats import hashing
from eventlog.store.mongo.store import operations_of
from eventlog.stored.sequences import new_sequence
from tests.browser.conftest import serve_anew, watch
from tests.browser.dashboard import ServedLog, Watched, filters, listed
from tests.support.anchored import ORIGIN

MANY = 1001
COMMA, BLANK = "CN=app,OU=x", " lead"
FIRST, LAST = "1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"
KINDS = [*(f"kind-{n:03}" for n in range(999)), "k" * 256, "k" * 256]
NAMES = ("constructor", "toString", "__proto__", "hasOwnProperty", "valueOf")
"""What every object has in JavaScript."""


@pytest.fixture(scope="module")
def odd(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLog]:
    with serve_anew(mongo_uri, Path(tmp_path_factory.mktemp("log"))) as log:
        log.append(*({"event_id": f"e-{n}", "source_id": (COMMA, BLANK, "web")[n % 3]} for n in range(120)))
        log.append({"event_id": "first", "timestamp": FIRST}, chain="first")
        log.append({"event_id": "last", "timestamp": LAST}, chain="last")
        log.append({"event_id": "hidden"}, chain="z-the-last-by-name")
        log.append(*({"event_type": kind, "source_id": "s" * 256} for kind in KINDS), chain="kinds")
        names = [f"m-{number:04}" for number in range(MANY)]
        operations_of(log.store).sequences.insert_many(
            new_sequence(name, ORIGIN, hashing.genesis(ORIGIN, name)) for name in names
        )
        yield log


@pytest.fixture
def look(browser: Browser, odd: ServedLog) -> Iterator[Watched]:
    with watch(browser, odd.url) as look:
        yield look


def ids(page: Page) -> list[str]:
    expect(page.locator("#events-status")).to_have_text(re.compile("event|First"))
    return [str(row.get_attribute("data-id")) for row in page.locator("#main tbody tr").all()]


def test_every_chain_can_be_chosen(look: Watched, odd: ServedLog) -> None:
    page = look.open()
    expect(page.locator(".card").last).to_contain_text(f"{MANY + 5 - 20} chains more")
    assert list(listed(page, "m-09")) == [f"m-09{n:02}" for n in range(50)]
    expect(page.locator("#chain-list")).to_contain_text("50 others: type how the name begins.")
    page.fill("#chain-search", "nobody")
    expect(page.locator("#chain-list")).to_have_text("No chain begins with “nobody”.")
    page.fill("#chain-search", "z-")
    expect(page.locator("#chain-list a")).to_have_count(1)
    page.clock.install()
    page.keyboard.press("Enter")
    expect(page.locator(".tile").first).to_contain_text("1 in z-the-last-by-name")
    odd.append({}, chain="z-the-last-by-name")
    page.clock.fast_forward(61_000)  # the overview shows itself anew
    expect(page.locator(".tile").first).to_contain_text("2 in z-the-last-by-name")
    page.get_by_role("link", name="Chain", exact=True).click()
    expect(page.locator(".facts").first).to_contain_text("1 in z-the-last-by-name")


def test_words_that_every_object_has_are_no_view_range_or_finding(look: Watched) -> None:
    page = look.page
    for name in NAMES:
        page.goto(f"{look.home}/?view={name}&range={name}&by={name}&zoom={name}")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        expect(page.get_by_role("button", name="Week")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#nav a[aria-current=page]")).to_have_text("Overview")
    report = {"kind": "constructor", "seq": 3, "expected": "", "actual": "", "detail": "odd"}
    audit = {"audit_id": "a", "chain": "main", "mode": "full", "status": "toString", "findings_total": 1}
    audit |= {"events_checked": 1, "from_seq": 0, "to_seq": 1, "anchored_size": None, "started_at": FIRST}
    page.route("**/api/v1/audits/a", lambda route: route.fulfill(json=audit | {"findings": [report]}))
    page.goto(f"{look.home}/?view=audits&audit=a")
    expect(page.locator(".error li strong")).to_have_text("constructor")
    expect(page.locator(".facts .badge")).to_have_text("toString")


def test_names_with_commas_and_blanks_are_filters_like_others(look: Watched) -> None:
    """From the fields, from the address, and again from the fields that the address filled."""
    page = look.open(view="events")
    for given, fits in ((COMMA, {0}), (BLANK, {1}), (f"{COMMA}\n{BLANK}\n", {0, 1})):
        filters(page).fill("#source_id", given)
        page.locator("#filter").click()
        page.wait_for_url(re.compile("source_id="))
        expected = [f"e-{n}" for n in reversed(range(120)) if n % 3 in fits][:50]
        expect(page.locator("#main tbody tr").first).to_have_attribute("data-id", expected[0])
        assert ids(page) == expected
        page.reload()
        assert page.input_value("#source_id") == given.rstrip("\n")
        address = page.url
        page.locator("#filter").click()
        expect(page.locator("#main tbody tr").first).to_have_attribute("data-id", expected[0])
        assert (ids(page), page.url) == (expected, address)
    cell = page.locator("#main tbody tr[data-id=e-118] td.source bdi")
    assert cell.evaluate("cell => getComputedStyle(cell).whiteSpace") == "pre-wrap"
    page.get_by_role("switch").click()
    expect(page.locator("#events-status")).to_contain_text("Live")


def test_events_of_the_future_are_said_and_ordered_by_arrival(look: Watched, odd: ServedLog) -> None:
    page = look.open(view="events", chain="ahead")
    expect(page.locator("#waiting")).to_be_visible()  # the page of a chain without an event turns into its first one
    expect(page.locator("pre").first).to_contain_text(f"curl -X POST {look.home}/api/v1/events")
    expect(page.locator("pre").nth(1)).to_have_text("make demo-data")
    odd.append({"event_id": "ahead", "timestamp": "2099-01-01T00:00:00Z"}, chain="ahead")
    expect(page.locator("tbody tr")).to_have_count(1)
    odd.append({"event_id": "now", "event_type": "t" * 256, "source_id": "s" * 256}, chain="ahead")
    page = look.open(view="events", chain="ahead")
    assert ids(page) == ["ahead", "now"]
    expect(page.locator("#future")).to_contain_text("1 event here states a time in the future")
    page.get_by_role("button", name="Order by arrival").click()
    expect(page.locator("tbody tr").first).to_have_attribute("data-id", "now")
    assert ids(page) == ["now", "ahead"]
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Remove in order of arrival").click()
    expect(page.locator("tbody tr").first).to_have_attribute("data-id", "ahead")


def test_a_link_into_the_pages_leads_back_to_the_newest(look: Watched, browser: Browser) -> None:
    page = look.open(view="events")
    page.get_by_role("button", name="Older").click()
    expect(page.locator("#main tbody tr").first).to_have_attribute("data-id", "e-69")
    link = page.url
    page.locator("tr[data-id=e-69] button.open").click()
    expect(page.locator("#detail .facts")).to_contain_text("69 in main")
    page.reload()
    page.get_by_role("button", name="Newer").click()
    expect(page.locator("#main tbody tr").first).to_have_attribute("data-id", "e-119")
    with watch(browser, look.home) as other:
        other.page.goto(link)
        expect(other.page.locator("#main tbody tr").first).to_have_attribute("data-id", "e-69")
        other.page.get_by_role("button", name="Newest").click()
        expect(other.page.locator("#main tbody tr").first).to_have_attribute("data-id", "e-119")
        other.page.goto(f"{look.home}/?view=events&cursor=none")
        other.page.get_by_role("button", name="Try again").click()
        expect(other.page.locator("#main tbody tr").first).to_have_attribute("data-id", "e-119")


def test_the_ends_of_time_have_a_chart(look: Watched) -> None:
    for chain in ("first", "last"):
        page = look.open(chain=chain)
        expect(page.locator(".legend")).to_contain_text("user.login 1")
        expect(page.locator(".uplot canvas")).to_be_visible()
    page.locator("summary").click()
    page.locator("details tbody tr").last.get_by_role("button").click()
    page.wait_for_url(re.compile(f"end_time={quote('10000-01-01T00:00:00.000Z')}"))
    expect(page.locator("#main tbody tr")).to_have_count(1)


def test_a_thousand_types_and_names_of_256_characters_have_a_chart_a_list_and_suggestions(look: Watched) -> None:
    page = look.open(view="events", chain="kinds")
    legend = page.locator(".legend li")
    expect(legend).to_have_count(13)
    expect(legend.first).to_have_text(f"{'k' * 256} 2")
    expect(legend.last).to_have_text("others 988")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Search", exact=True).fill("type:kind-99")
    expect(page.locator("#suggestions li")).to_have_count(8)
    page.keyboard.press("Escape")
    legend.first.get_by_role("button").click()
    expect(page.locator("#events-status")).to_have_text("2 events")
    page.locator("tbody tr button.open").first.click()
    expect(page.locator("#detail .facts")).to_contain_text("k" * 256)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_chart_takes_the_colours_of_the_theme(look: Watched) -> None:
    picture = "document.querySelector('.uplot canvas').toDataURL()"
    drawn = f"""() => new Promise((done) => {{
      const look = (before) => setTimeout(() => ({picture} === before ? done(before) : look({picture})), 200)
      look('')
    }})"""  # the picture, once it is as it was a moment ago
    page = look.open()
    expect(page.locator(".uplot canvas")).to_be_visible()
    for _ in range(2):
        before = page.evaluate(drawn)
        page.locator("#theme").click()
        page.wait_for_function(f"before => {picture} !== before", arg=before)
    page.evaluate("localStorage.removeItem('theme')")
    before = page.evaluate(drawn)
    page.emulate_media(color_scheme="dark")  # nobody has chosen, so it is as the system has it
    expect(page.locator("#theme")).to_have_text("Light")
    page.wait_for_function(f"before => {picture} !== before", arg=before)
