"""What a view costs does not grow with the chain: so many requests, so many bytes, however many events there are.

``LONG_CHAIN=1000000`` makes the chain as long as that and writes how long each step took (long-chain.txt).
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from eventlog.store.mongo import counts
from tests.browser.conftest import serve_anew, watch
from tests.browser.dashboard import ServedLog, Watched, filters
from tests.browser.long_chain import fill

COUNT = int(os.environ.get("LONG_CHAIN", "60000"))
DAY = 86_400_000
OVERVIEW_REQUESTS = 10
PAGE_BYTES = 100_000


@pytest.fixture(scope="module")
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def long(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Iterator[ServedLog]:
    """As many events as the log counts at once in the last five days, and one more."""
    with serve_anew(mongo_uri, Path(tmp_path_factory.mktemp("log"))) as log, pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts, "MAX_COUNTED", COUNT - 1)
        fill(log.store, COUNT, int(now.timestamp() * 1000) - 5 * DAY, 5 * DAY)
        yield log


@pytest.fixture
def look(browser: Browser, long: ServedLog, now: datetime) -> Iterator[Watched]:
    """For the page it is the moment at which the chain ends, however long it looks: it asks again after a minute."""
    with watch(browser, long.url) as look:
        look.page.clock.set_fixed_time(now)
        yield look


class Meter:
    """What a page asks the log, and what comes back."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.answers: list[Response] = []
        page.on("response", lambda answer: self.answers.append(answer) if "/api/" in answer.url else None)

    @contextmanager
    def step(self, what: str, requests: int) -> Iterator[None]:
        """Something that may take so many requests; the page is ready when the block ends."""
        self.answers.clear()
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        sizes = [len(answer.body()) for answer in self.answers]
        if "LONG_CHAIN" in os.environ:
            with Path("long-chain.txt").open("a") as report:
                report.write(f"{what}: {seconds:.2f} s, {len(sizes)} requests, {sum(sizes)} bytes\n")
        assert len(sizes) <= requests, [answer.url for answer in self.answers]
        assert max(sizes, default=0) < PAGE_BYTES


def test_no_view_costs_more_in_a_long_chain(look: Watched, long: ServedLog) -> None:
    page = look.page
    meter = Meter(page)
    with meter.step("overview", OVERVIEW_REQUESTS):
        page.goto(long.url)
        expect(page.locator(".tile").first).to_contain_text(f"{COUNT:,}")
        expect(page.locator(".uplot canvas")).to_be_visible()
    with meter.step("events", 4):
        page.get_by_role("link", name="Events").click()
        expect(page.locator("tbody tr").first).to_have_attribute("data-id", f"e-{COUNT - 1}")
        expect(page.locator(".timeline")).to_contain_text("More than a million events")
    for number in range(1, 6):
        with meter.step(f"older {number}", 1):
            page.get_by_role("button", name="Older").click()
            expect(page.locator("tbody tr").first).to_have_attribute("data-id", f"e-{COUNT - 1 - 50 * number}")
    with meter.step("filter", 4):
        filters(page).fill("#event_type", "order.shipped")
        page.fill("#source_id", "batch")
        page.locator("#filter").click()
        page.wait_for_url("**source_id=batch**")
        expect(page.locator("tbody tr").first.locator("td.type")).to_have_text("order.shipped")
        expect(page.locator(".uplot canvas")).to_be_visible()
    with meter.step("chain", 5):
        page.get_by_role("link", name="Chain", exact=True).click()
        expect(page.locator(".chain-picture rect.chosen")).to_have_attribute("data-seq", str(COUNT - 1))
        expect(page.locator(".facts")).to_contain_text(f"{COUNT - 1:,} in main")
    with meter.step("chain, scrubbed to the middle", 5):
        page.locator("#seq").fill(str(COUNT // 2))
        expect(page.locator(".facts")).to_contain_text(f"{COUNT // 2:,} in main")


def test_more_events_than_are_counted_at_once_are_shown_of_a_shorter_range(look: Watched) -> None:
    page = look.open(range="week")
    expect(page.locator("#main .notice")).to_contain_text("a shorter range: 1 day")
    expect(page.get_by_role("button", name="Week")).to_have_attribute("aria-pressed", "true")
    shown = page.locator(".legend li").all_inner_texts()
    total = sum(int(words.split()[-1].replace(",", "")) for words in shown)
    assert abs(total - COUNT // 5) <= COUNT // 100
    page.get_by_role("button", name="Day", exact=True).click()
    expect(page.locator(".uplot canvas")).to_be_visible()
    expect(page.locator("#main .notice")).to_have_count(0)


def test_a_minute_with_more_than_are_counted_is_said(look: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "MAX_COUNTED", 1)
    expect(look.open().locator(".empty").first).to_contain_text("More than a million events a minute")
