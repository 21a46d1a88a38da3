"""Live: events appear as they come, each once, and nothing moves while somebody reads."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from eventlog.http import frames
from eventlog.http.wired import wiring_of
from eventlog.store.errors import CorruptionError, LimitError, StoreUnavailableError
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.streams import watcher
from eventlog.streams.streams import Streams
from eventlog.wiring.query import QueryWiring
from local.machine import wait_until
from tests.browser.conftest import serve, serve_anew, watch
from tests.browser.dashboard import ServedLog, Watched
from tests.support.anchored import ORIGIN, AnchoredLog
from tests.support.factories import draft
from tests.support.ports import own_port

STREAM = "**/api/v1/events/stream*"
_numbers = count()


@pytest.fixture(scope="module")
def shared(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLog]:
    with serve_anew(mongo_uri, Path(tmp_path_factory.mktemp("log"))) as log:
        yield log


class Followed:
    """A chain of a test's own, and a page that looks at it."""

    def __init__(self, log: ServedLog, look: Watched) -> None:
        self.log = log
        self.look = look
        self.page = look.page
        self.chain = f"live-{next(_numbers)}"

    def append(self, *ids: str, **fields: Any) -> None:
        self.log.append(*({"event_id": event_id, **fields} for event_id in ids), chain=self.chain)

    def open(self, **state: Any) -> Page:
        page = self.look.open(chain=self.chain, view="events", live="on", **state)
        expect(self.status).to_contain_text("Live")
        return page

    def shows(self, *ids: str) -> None:
        """Exactly these, in this order."""
        expect(self.rows).to_have_count(len(ids))
        assert shown(self.rows) == list(ids)

    @property
    def rows(self) -> Locator:
        return self.page.locator("#main tbody tr")

    @property
    def status(self) -> Locator:
        return self.page.locator("#events-status")

    @property
    def new(self) -> Locator:
        return self.page.locator("#show-new")


def shown(rows: Locator) -> list[str]:
    found: list[str] = rows.evaluate_all("rows => rows.map((row) => row.dataset.id)")
    return found


@pytest.fixture
def live(browser: Browser, shared: ServedLog) -> Iterator[Followed]:
    with watch(browser, shared.url) as look:
        yield Followed(shared, look)


def test_events_come_on_top_of_the_newest_page(live: Followed) -> None:
    live.append("a", "b")
    live.open()
    live.shows("b", "a")
    live.append("c")
    live.append("d", "e")
    live.shows("e", "d", "c", "b", "a")


def test_a_switch_turns_it_on_and_off(live: Followed) -> None:
    live.append("a")
    page = live.look.open(chain=live.chain, view="events")
    switch = page.get_by_role("switch")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(switch).to_be_focused()
    expect(live.status).to_contain_text("Live")
    live.append("b")
    live.shows("b", "a")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    wait_until("the stream to be closed", lambda: live.log.readers == 0)


def test_another_view_closes_the_stream(live: Followed) -> None:
    live.append("a")
    page = live.open()
    wait_until("streams of earlier pages to be closed", lambda: live.log.readers == 1)
    page.get_by_role("link", name="Audits").click()
    wait_until("the stream to be closed", lambda: live.log.readers == 0)
    page.go_back()
    expect(live.status).to_contain_text("Live")
    live.append("b")
    live.shows("b", "a")


def test_a_chain_that_is_not_there_yet_is_followed_from_its_first_event(live: Followed) -> None:
    live.open()
    live.append("a")
    live.shows("a")


def test_what_comes_between_the_page_and_the_stream_is_not_missed(live: Followed) -> None:
    live.append("a", "b")

    def append_first(route: Route) -> None:
        live.append("c")
        route.continue_()

    live.page.route(STREAM, append_first)
    live.open()
    live.append("d")
    live.shows("d", "c", "b", "a")


def test_what_was_not_settled_yet_is_shown_once(live: Followed) -> None:
    live.append("a")
    live.log.store.append(live.chain, [draft("b", chain=live.chain, timestamp=4_000_000_000_000)])
    live.open()
    live.append("c")
    expect(live.rows).to_have_count(3)
    assert sorted(shown(live.rows)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("filters", "fits", "other"),
    [
        ({"event_type": "wanted"}, {"event_type": "wanted"}, {}),
        ({"source_id": "wanted"}, {"source_id": "wanted"}, {}),
        ({"start_time": "2026-01-01T00:00:00Z"}, {}, {"timestamp": "2025-12-31T23:59:59.999Z"}),
        ({"end_time": "2026-01-01T00:00:00Z"}, {"timestamp": "2025-12-31T23:59:59.999Z"}, {}),
    ],
)
def test_filters_apply(live: Followed, filters: dict[str, str], fits: dict[str, str], other: dict[str, str]) -> None:
    live.append("a", **fits)
    live.append("b", **other)
    live.open(**filters)
    live.append("c", **other)
    live.append("d", **fits)
    live.shows("d", "a")


@pytest.mark.parametrize("reading", ["pointer", "focus", "scrolled"])
def test_nothing_moves_while_somebody_reads(live: Followed, reading: str) -> None:
    before = [f"e-{n}" for n in range(40)]
    live.append(*before)
    page = live.open()
    expect(page.locator("#standing p")).to_be_visible()  # what comes late as the page is opened moves all below it
    expect(page.locator("#rows-checked")).to_have_text("40 of 40 rows match their hashes")
    if reading == "pointer":
        live.rows.nth(3).hover()
    elif reading == "focus":
        live.rows.nth(3).locator("button.open").focus()
    else:
        page.evaluate("window.scrollTo(0, 300)")
    place = live.rows.nth(3).bounding_box()
    live.append("x")
    expect(live.new).to_have_text("Show 1 new event")
    live.append("y")
    expect(live.new).to_have_text("Show 2 new events")
    live.shows(*reversed(before))
    now = live.rows.nth(3).bounding_box()
    assert place is not None
    assert now is not None
    assert abs(place["y"] - now["y"]) < 1
    live.new.click()
    live.shows("y", "x", *reversed(before))
    expect(live.new).to_be_hidden()
    expect(live.status).to_be_focused()


def test_the_newest_are_kept(live: Followed) -> None:
    live.open()
    live.append(*(f"e-{n}" for n in range(700)))
    expect(live.rows.first).to_have_attribute("data-id", "e-699")
    expect(live.rows).to_have_count(500)
    assert shown(live.rows) == [f"e-{n}" for n in reversed(range(200, 700))]


def test_an_event_that_came_is_verified(live: Followed) -> None:
    page = live.open()
    live.append("a")
    live.rows.first.locator("button.open").click()
    page.get_by_role("button", name="Verify in my browser").click()
    expect(page.locator(".steps > li.passed")).to_have_count(4)  # its three hashes, and that the log still gives it


def hide(page: Page, hidden: bool) -> None:
    """As a browser does when another tab is chosen, or this one again; headless, every page counts as seen."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })
            document.dispatchEvent(new Event('visibilitychange'))
        }""",
        hidden,
    )


def test_seven_tabs_follow_as_hidden_ones_let_their_streams_go(live: Followed) -> None:
    """A browser has six connections to a host. Whoever comes back has missed nothing, and sees nothing twice."""
    live.append("a")
    first = live.open()
    pages = [first]
    for _ in range(6):
        hide(pages[-1], hidden=True)
        page = first.context.new_page()
        pages.append(page)
        page.goto(first.url)
        expect(page.locator("#events-status")).to_contain_text("Live")
    wait_until("the hidden ones to let go", lambda: live.log.readers == 1)
    live.append("b", "c")
    expect(pages[-1].locator("#main tbody tr")).to_have_count(3)
    live.shows("a")
    for page in pages[1:]:
        page.close()
    hide(first, hidden=False)
    live.shows("c", "b", "a")
    live.append("d")
    live.shows("d", "c", "b", "a")
    first.goto(first.url)  # hidden before the stream has begun
    hide(first, hidden=True)
    wait_until("it to let go again", lambda: live.log.readers == 0)
    live.append("e")
    hide(first, hidden=False)
    live.shows("e", "d", "c", "b", "a")
    expect(live.status).to_contain_text("Live")


def test_a_time_without_a_zone_means_the_same_to_the_query_and_to_what_comes(
    browser: Browser, shared: ServedLog
) -> None:
    """UTC, as the field says; in New York it is five hours earlier."""
    with watch(browser, shared.url, zone="America/New_York") as look:
        live = Followed(shared, look)
        live.append("before", timestamp="2026-11-23T11:59:59.999Z")
        live.append("after", timestamp="2026-11-23T12:30:00Z")
        live.open(start_time="2026-11-23T12:00:00", end_time="2026-11-23t13:00:00.0009")
        live.shows("after")
        expect(look.page.get_by_label("From (UTC unless it has a zone)")).to_have_value("2026-11-23T12:00:00")
        for minute, event_id in ((29, "x"), (31, "y")):
            live.append(event_id, timestamp=f"2026-11-23T12:{minute}:00Z")
        live.append("too-early", timestamp="2026-11-23T11:59:59.999Z")
        live.append("too-late", timestamp="2026-11-23T13:00:00Z")
        live.append("z", timestamp="2026-11-23T12:00:00Z")
        live.shows("z", "y", "x", "after")


def test_a_chain_that_was_put_back_is_said(live: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is followed, and while the tab was hidden; what comes then is shown."""
    monkeypatch.setattr(watcher, "SHORTER_SECONDS", 0.2)
    live.append("a", "b")
    operations = operations_of(live.log.store)
    before = operations.sequences.find_one({"_id": live.chain})
    assert before is not None
    live.append("c", "d")
    page = live.open()
    live.shows("d", "c", "b", "a")
    warning = page.locator("#live-warning")

    def put_back() -> None:
        operations.sequences.replace_one({"_id": live.chain}, before)
        operations.events.delete_many({"chain": live.chain, "seq": {"$gte": 2}})

    put_back()
    expect(warning).to_contain_text("it has 2 events now")
    live.append("e")
    live.shows("e", "d", "c", "b", "a")
    warning.get_by_role("button").click()
    live.shows("e", "b", "a")
    expect(warning).to_have_count(0)
    expect(live.status).to_contain_text("Live")
    hide(page, hidden=True)
    wait_until("it to let go", lambda: live.log.readers == 0)
    put_back()
    hide(page, hidden=False)
    expect(warning).to_contain_text("it has 2 events now")
    live.append("f", "g")
    expect(live.rows.first).to_have_attribute("data-id", "g")
    monkeypatch.setattr(watcher, "SHORTER_SECONDS", 60.0)  # so that it has grown beyond before anybody is told
    put_back()
    live.append("h", "i", "j")
    expect(warning).to_contain_text("what it has stored is damaged")


FOLLOW = """(address) => {
    window.seen = []
    window.source = new EventSource(address)
    source.onmessage = (event) => window.seen.push(JSON.parse(event.data).event_id)
    source.addEventListener('end', (event) => window.seen.push(JSON.parse(event.data).reason))
}"""


def test_an_event_source_goes_on_by_itself_whatever_passes(live: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser's own: the log is away, takes no more streams, or reads something damaged, for a while."""
    page = live.look.open(view="keys")
    refusals: list[Exception] = [
        StoreUnavailableError("the chain could not be read in time"),
        LimitError("anonymous has 20 live streams open.", 0),
        CorruptionError("an event is missing"),
    ]
    told: list[str] = []
    honest = Streams.reader

    def reader(streams: Streams, *given: Any) -> Any:
        if not refusals:
            return honest(streams, *given)
        told.append(type(refusals[0]).__name__)
        raise refusals.pop(0)

    monkeypatch.setattr(frames, "_AGAIN_SECONDS", 0)
    live.append("a")
    page.evaluate(FOLLOW, f"/api/v1/events/stream?chain={live.chain}&from_seq=0")
    page.wait_for_function("() => window.seen.includes('a')")
    monkeypatch.setattr(Streams, "reader", reader)
    for watched in list(wiring_of(live.log.app, QueryWiring).streams._watchers.values()):
        watched.stop()  # ends the stream, as a server that stops
    page.wait_for_function("() => window.seen.length >= 5")
    live.append("b")
    page.wait_for_function("() => window.seen.includes('b')")
    assert page.evaluate("window.seen") == ["a", "stopping", "unavailable", "limit", "error", "b"]
    assert (len(told), page.evaluate("window.source.readyState")) == (3, 1)
    page.evaluate("window.source.close()")


def test_a_server_that_goes_away_is_waited_for(
    browser: Browser, store: MongoStore, mongo_uri: str, database: str, tmp_path: Path
) -> None:
    anchored = AnchoredLog(MongoStore(operations_of(store), ORIGIN), tmp_path)
    port = own_port()
    with ExitStack() as running:
        log = running.enter_context(serve(anchored, mongo_uri, database, port))
        with watch(browser, log.url) as look:
            live = Followed(log, look)
            live.append("a")
            live.open()
            live.append("b")
            live.shows("b", "a")
            running.close()
            expect(live.status).to_contain_text("Reconnecting")
            live.append("c", "d")
            with serve(anchored, mongo_uri, database, port):
                expect(live.status).to_contain_text("Live")
                live.append("e")
                live.shows("e", "d", "c", "b", "a")
                look.page.close()
