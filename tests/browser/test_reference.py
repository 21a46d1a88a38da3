"""The API's description in Chromium: readable, without a script, asking nobody else, and without a token."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, expect

from admin.token import add_token
from tests.browser.conftest import serve_anew, watch
from tests.browser.dashboard import ServedLog

INTRUDE = """() => {
    const inline = document.createElement('script')
    inline.textContent = "document.title = 'run'"
    const own = document.createElement('script')
    own.src = '/dashboard/main.js'
    document.body.append(inline, own)
}"""


@pytest.fixture(scope="module")
def guarded(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLog]:
    """A log that wants tokens for all that it holds."""
    folder = Path(tmp_path_factory.mktemp("log"))
    add_token(folder / "tokens.json", "viewer", ["events:read"], None)
    with serve_anew(mongo_uri, folder, tokens=str(folder / "tokens.json")) as log:
        yield log


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_description_is_a_page_like_the_others(browser: Browser, guarded: ServedLog, theme: str) -> None:
    with watch(browser, guarded.url) as look:
        page = look.page
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        page.goto(f"{guarded.url}/docs")
        route = page.locator(".card").filter(has=page.get_by_role("heading", name="POST /api/v1/events", exact=True))
        expect(route).to_contain_text("Scope: events:write")
        route.get_by_role("link", name="NewEvent").click()
        expect(page.locator("#NewEvent")).to_be_in_viewport()
        assert page.locator("script").count() == 0
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in {"serious", "critical"}] == []
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_what_gets_into_the_page_does_not_run(browser: Browser, guarded: ServedLog) -> None:
    """Its policy holds even if the writing of the page were wrong."""
    with watch(browser, guarded.url) as look:
        page = look.page
        page.goto(f"{guarded.url}/docs")
        with page.expect_console_message(lambda message: "main.js" in message.text):  # the last that is refused
            page.evaluate(INTRUDE)
        expect(page).to_have_title("API · Event log")
        assert len(look.troubles) == 2
        assert all("Content Security Policy" in trouble for trouble in look.troubles)
        look.troubles.clear()
