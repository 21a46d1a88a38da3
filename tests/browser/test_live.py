"""Live: events appear as they come, each once, and nothing moves while somebody reads."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from eventlog.store.mongo.store import MongoStore, operations_of
from local.machine import wait_until
from tests.browser.conftest import serve, serve_anew, watch
from tests.browser.dashboard import ServedLog, Watched
from tests.support.anchored import ORIGIN, AnchoredLog
from tests.support.factories import draft

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
    assert live.log.readers == 1
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
    if reading == "pointer":
        live.rows.nth(3).hover()
    elif reading == "focus":
        live.rows.nth(3).get_by_role("button").focus()
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
    live.rows.first.get_by_role("button").click()
    page.get_by_role("button", name="Verify here").click()
    expect(page.locator(".steps > li.passed")).to_have_count(4)  # its three hashes, and that the log still gives it


def test_a_server_that_goes_away_is_waited_for(
    browser: Browser, store: MongoStore, mongo_uri: str, database: str, tmp_path: Path
) -> None:
    anchored = AnchoredLog(MongoStore(operations_of(store), ORIGIN), tmp_path)
    with ExitStack() as running:
        log = running.enter_context(serve(anchored, mongo_uri, database))
        with watch(browser, log.url) as look:
            live = Followed(log, look)
            live.append("a")
            live.open()
            live.append("b")
            live.shows("b", "a")
            running.close()
            expect(live.status).to_contain_text("away")
            live.append("c", "d")
            with serve(anchored, mongo_uri, database, urlsplit(log.url).port or 0):
                expect(live.status).to_contain_text("Live", timeout=15_000)
                live.append("e")
                live.shows("e", "d", "c", "b", "a")
                look.page.close()
