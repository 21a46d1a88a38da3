"""The dashboard under the path that a custom domain or a proxy puts before the log's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import serve_anew, watch
from tests.browser.dashboard import ServedLog

BASE = "/log/eu"


@pytest.fixture(scope="module")
def under(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLog]:
    with serve_anew(mongo_uri, Path(tmp_path_factory.mktemp("log")), base_path=BASE) as log:
        log.append({"event_id": "e-1"}, {"event_id": "e-2"})
        log.log.audit()
        yield log


FILES = {"dashboard/config.json", "dashboard/icon.svg", "dashboard/main.js", "dashboard/style.css"}


def test_the_page_is_four_files_whatever_is_shown(browser: Browser, under: ServedLog) -> None:
    """Script and styles come with all that they import: in the cloud each file is a call of the function."""
    with watch(browser, under.url) as look:
        page = look.page
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(f"{under.url}{BASE}/")))
        page.goto(f"{under.url}{BASE}/?chain=main")
        expect(page.locator(".uplot canvas")).to_be_visible()
        for view in ("Events", "Chain", "Audits", "Keys"):
            page.locator("#nav").get_by_role("link", name=view, exact=True).click()
            expect(page.get_by_role("heading", name=view, level=1)).to_be_visible()
        own = [path for path in asked if path.startswith("dashboard/")]
        assert set(own) == FILES
        assert len(own) <= len(FILES) + 1, "some browsers ask twice for the icon, to show it on the tab, too"


def test_the_page_asks_and_leads_under_its_path_alone(browser: Browser, under: ServedLog) -> None:
    """It is entered without its last slash; views, reload and history keep to the path, and so does each request."""
    with watch(browser, under.url) as look:
        page = look.page
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(under.url)))
        page.goto(f"{under.url}{BASE}?chain=main")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        page.get_by_role("link", name="Events", exact=True).click()
        expect(page.get_by_role("heading", name="Events", level=1)).to_be_visible()
        assert page.url == f"{under.url}{BASE}/?chain=main&view=events"
        expect(page.locator("table tbody tr")).to_have_count(2)
        page.reload()
        expect(page.locator("table tbody tr")).to_have_count(2)
        page.locator(".brand").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        page.goto(f"{under.url}{BASE}/docs")
        page.locator(".brand").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        assert page.url.startswith(f"{under.url}{BASE}/")
        assert [path for path in asked if not path.startswith((f"{BASE}/", f"{BASE}?"))] == []
        assert any(path.startswith(f"{BASE}/api/v1/chains") for path in asked)
