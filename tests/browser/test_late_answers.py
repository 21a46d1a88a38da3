"""An answer that comes late changes nothing for whoever has moved on meanwhile, and is waited for by who needs it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import serve_anew, watch
from tests.browser.dashboard import Held, ServedLog, Watched


@pytest.fixture(scope="module")
def shared(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLog]:
    with serve_anew(mongo_uri, Path(tmp_path_factory.mktemp("log"))) as log:
        for chain in ("aaa", "main", "zeta"):
            log.append({"event_id": "a", "payload": {"n": 1}}, {}, chain=chain)
        yield log


@pytest.fixture
def look(browser: Browser, shared: ServedLog) -> Iterator[Watched]:
    with watch(browser, shared.url) as look:
        yield look


def test_the_chain_that_was_typed_is_chosen_though_the_log_says_later_that_there_is_one(look: Watched) -> None:
    """Of more chains than the page has, which it asks for as somebody types."""
    page = look.page
    first = {"chain": "aaa", "standing": None}
    page.route("**/api/v1/chains?*", lambda route: route.fulfill(json={"chains": [first], "next": "b"}))
    look.open(view="keys", chain="main")
    page.unroute("**/api/v1/chains?*")
    found = Held(page, r"/api/v1/chains\?")
    page.click("#chain")
    expect(page.locator("#chain-list a").first).to_have_text("aaa")
    page.fill("#chain-search", "zeta")
    page.keyboard.press("Enter")
    found.wait_for(1)
    expect(page.locator("#chain")).to_have_text(re.compile("main"))
    found.release()
    expect(page.locator("#chain")).to_have_text(re.compile("zeta"))
    expect(page).to_have_url(re.compile("chain=zeta"))


def test_a_view_that_comes_late_takes_the_focus_from_nobody(look: Watched) -> None:
    page = look.open(view="keys")
    audits = Held(page, r"/api/v1/audits\?")
    page.get_by_role("link", name="Audits").click()
    audits.wait_for(1)
    page.click("#chain")
    expect(page.locator("#chain-search")).to_be_focused()
    audits.release()
    expect(page.get_by_role("heading", name="Run an audit")).to_be_visible()
    expect(page.locator("#chain-list")).to_be_visible()
    expect(page.locator("#chain-search")).to_be_focused()


def search(page: Page) -> None:
    page.get_by_label("Search", exact=True).fill("after:2020-01-01")
    page.keyboard.press("Enter")


def choose_value(page: Page) -> None:
    page.locator("tr[data-id=a] td.summary button").click()
    page.locator("#only-this").click()


@pytest.mark.parametrize("ask", [search, choose_value])
def test_a_search_that_was_left_before_the_fields_are_known_changes_no_other_view(
    look: Watched, ask: Callable[[Page], None]
) -> None:
    page = look.page
    fields = Held(page, "/api/v1/search-fields")
    look.open(view="events")
    ask(page)
    fields.wait_for(1)
    page.get_by_role("link", name="Keys").click()
    expect(page.get_by_role("heading", name="Keys", level=1)).to_be_visible()
    address = page.url
    fields.release()
    assert page.url == address


@pytest.mark.parametrize("leave", ["Escape", "Tab"])
def test_suggestions_that_come_late_cover_nothing(look: Watched, leave: str) -> None:
    page = look.page
    values = Held(page, "/api/v1/suggestions")
    look.open(view="events")
    box = page.get_by_label("Search", exact=True)
    box.fill("type:us")
    values.wait_for(1)
    box.press(leave)
    values.release()
    expect(page.locator("#suggestions")).to_be_hidden()


def test_an_overview_that_shows_itself_anew_leaves_alone_what_was_unfolded_meanwhile(look: Watched) -> None:
    page = look.page
    page.clock.install()
    look.open()
    last = Held(page, "/api/v1/chains/zeta")  # nothing is asked for after it
    table = page.locator("details.as-table")
    expect(table).to_have_count(1)
    page.clock.fast_forward(61_000)
    last.wait_for(1)
    table.locator("summary").click()
    last.release()
    expect(table).to_have_attribute("open", "")


DRAWN = """() => {
  window.drawn = 0
  new MutationObserver((changes) => {
    const added = changes.flatMap(({ addedNodes }) => [...addedNodes])
    window.drawn += added.filter((node) => node.classList?.contains('uplot')).length
  }).observe(document, { childList: true, subtree: true })
}"""


def test_a_chart_is_drawn_once_and_not_again_under_the_mouse(look: Watched) -> None:
    """Its place grows with it, which is no reason to draw it anew; that it got wider or narrower is."""
    page = look.page
    page.add_init_script(f"({DRAWN})()")
    look.open()
    expect(page.locator(".uplot canvas")).to_be_visible()
    frames = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
    page.evaluate(frames)
    assert page.evaluate("window.drawn") == 1
    page.set_viewport_size({"width": 1000, "height": 900})
    page.wait_for_function("() => window.drawn === 2")


MARKED = """async () => {
  const { watchFindings } = await import('/dashboard/marked.js')
  const { learn } = await import('/dashboard/standing.js')
  const answers = {}
  window.fetch = (address) => new Promise((resolve) => (answers[address.split('/').at(-1)] = resolve))
  const found = (audit) => ({ findings_total: 1, findings: [{ seq: 1, audit_id: audit }] })
  const stands = (audit) => ({ verdict: 'tampered', since: audit, ...found(audit) })
  const tell = (audit) => {
    learn([{ chain: 'main', standing: stands(audit) }])
    document.dispatchEvent(new Event('standing'))
  }
  const answer = async (audit) => {
    answers[audit](Response.json({ chain: 'main', findings: [{ seq: 1, kind: audit }] }))
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setTimeout(resolve))
  }
  const shown = []
  watchFindings('main', new AbortController().signal, (found) => shown.push(found.get(1).kind))
  tell('early')
  tell('late')
  while (!answers.early || !answers.late) await new Promise((resolve) => setTimeout(resolve))
  await answer('late')
  await answer('early')
  return shown
}"""


def test_of_two_standings_the_findings_of_the_newest_are_marked(look: Watched) -> None:
    assert look.open(view="keys").evaluate(MARKED) == ["late"]
