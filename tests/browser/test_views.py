"""Each view and each filter, on one log; what comes from the log is only ever text."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import serve_anew, watch
from tests.browser.dashboard import ODD, ServedLog, Watched, choose_chain, filters

NOW = datetime.now(UTC)
TYPES = ("user.login", "order.paid", ODD)
VIEWS = ("overview", "events", "chain", "audits", "keys")


def moment(minutes: int) -> str:
    return (NOW - timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(scope="module")
def filled(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLog]:
    """180 events of three types, a second chain, audits; the payloads and names are hostile."""
    with serve_anew(mongo_uri, Path(tmp_path_factory.mktemp("log"))) as log:
        log.append(
            *(
                {
                    "event_type": TYPES[n % 3],
                    "source_id": f"web-{n % 2}",
                    "timestamp": moment(200 - n),
                    "payload": {"n": n, ODD: ODD},
                    "event_id": f"e-{n}",
                }
                for n in range(180)
            )
        )
        log.append({"event_type": "other"}, chain="second")
        log.log.audit_all("full")
        yield log


@pytest.fixture
def look(browser: Browser, filled: ServedLog) -> Iterator[Watched]:
    with watch(browser, filled.url) as watched:
        yield watched


def rows(page: Page) -> list[str]:
    """The ids of the events shown."""
    expect(page.locator("#events-status")).to_be_visible()
    return [str(row.get_attribute("data-id")) for row in page.locator("tbody tr").all()]


def test_the_overview_counts_by_type(look: Watched) -> None:
    page = look.open()
    expect(page.locator(".tile").first).to_contain_text("180")
    expect(page.locator(".legend")).to_contain_text("user.login 60")
    expect(page.locator(".uplot canvas")).to_be_visible()
    page.get_by_role("button", name="By source").click()
    expect(page.locator(".legend")).to_contain_text("web-1 90")


def test_a_click_on_a_bar_shows_its_events(look: Watched) -> None:
    page = look.open(range="day")
    page.locator("summary").click()
    sums = [
        sum(int(cell) for cell in row.locator("td").all_inner_texts()[1:])
        for row in page.locator("details tbody tr").all()
    ]
    expected = max(sums)
    bar = page.locator("details tbody tr").nth(sums.index(expected))
    bar.get_by_role("button").click()
    page.wait_for_url(re.compile("view=events"))
    assert len(rows(page)) == min(50, expected)


def test_a_click_into_the_picture_shows_events_too(look: Watched) -> None:
    page = look.open(range="day")
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.97, box["y"] + box["height"] * 0.9)
    page.mouse.click(box["x"] + box["width"] * 0.97, box["y"] + box["height"] * 0.9)
    page.wait_for_url(re.compile("view=events.*start_time="))


def test_every_chain_says_how_far_it_is_anchored(look: Watched) -> None:
    table = look.open().get_by_role("region", name="Chains").locator("tbody tr")
    expect(table.filter(has_text="second")).to_contain_text("intact")
    expect(table.filter(has=look.page.get_by_role("link", name="main", exact=True)).locator("td").nth(4)).to_have_text(
        "0"
    )


def test_the_last_audits_are_a_strip(look: Watched) -> None:
    page = look.open()
    page.locator(".strip a.intact").first.click()
    expect(page.get_by_role("heading", name="Report")).to_be_visible()


FIELDS: list[tuple[str, str, Callable[[int], bool]]] = [
    ("event_type", "order.paid", lambda n: n % 3 == 1),
    ("event_type", "order.paid\nuser.login", lambda n: n % 3 < 2),
    ("source_id", "web-1", lambda n: n % 2 == 1),
    ("start_time", moment(30), lambda n: 200 - n <= 30),
    ("start_time", "-1d", lambda _: True),
    ("end_time", moment(199), lambda n: 200 - n > 199),
    ("end_time", "2100-01-01", lambda _: True),
]


def test_a_filter_shows_what_fits_and_what_it_may_not_be_is_said_at_its_field(look: Watched) -> None:
    page = filters(look.open(view="events"))
    for field, value, fits in FIELDS:
        page.locator("#clear").click()
        expect(page).not_to_have_url(re.compile("event_type|source_id|_time"))
        filters(page).fill(f"#{field}", value)
        page.locator("#filter").click()
        page.wait_for_url(re.compile(field))
        expected = [f"e-{n}" for n in reversed(range(180)) if fits(n)][:50]
        expect(page.locator("tbody tr").first).to_have_attribute("data-id", expected[0])
        expect(page.locator("tbody tr")).to_have_count(len(expected))
        assert rows(page) == expected
    address = page.url
    page.fill("#start_time", "someday")
    page.locator("#filter").click()
    expect(page.locator("#start_time-error")).to_contain_text("“someday” is no time. Write 2026-11-23")
    expect(page.locator("#start_time")).to_be_focused()
    page.fill("#start_time", "2100-01-02")
    page.locator("#filter").click()
    expect(page.locator("#end_time-error")).to_have_text("This is earlier than “From”.")
    expect(page.locator("#start_time-error")).to_be_hidden()
    assert page.url == address
    page = look.open(view="events", event_type="nothing")
    expect(page.locator(".empty").last).to_contain_text("Try a wider time range or clear the filters.")
    expect(page.locator(".empty").last).to_contain_text("No matching events.")
    page = look.open(view="events", start_time="someday")  # what the log refuses is told at its field, too
    expect(page.locator("#start_time-error")).to_be_visible()


def test_pages_go_back_and_forth(look: Watched) -> None:
    """By cursors in the address, never by the browser's history; the first page says how many there are."""
    page = look.open(view="events")
    first = rows(page)
    expect(page.locator("#events-status")).to_have_text("First 50 of 180")
    for top in ("e-129", "e-79", "e-29"):
        page.get_by_role("button", name="Older").click()
        expect(page.locator("tbody tr").first).to_have_attribute("data-id", top)
    page.reload()
    expect(page.locator("tbody tr").first).to_have_attribute("data-id", "e-29")
    for top in ("e-79", "e-129", "e-179"):
        page.get_by_role("button", name="Newer").click()
        expect(page.locator("tbody tr").first).to_have_attribute("data-id", top)
    assert rows(page) == first
    page.go_back()
    expect(page.locator("tbody tr").first).to_have_attribute("data-id", "e-129")
    page.get_by_role("button", name="Newest").click()
    expect(page.locator("tbody tr").first).to_have_attribute("data-id", "e-179")
    expect(page.get_by_role("button", name="Newe")).to_have_count(0)


def test_an_event_in_detail_survives_a_reload_and_hostile_text_is_text(look: Watched) -> None:
    page = look.open(view="events")
    page.locator("tr[data-id=e-178] button.open").click()
    expect(page.locator("#detail .facts")).to_contain_text("178 in main")
    expect(page).to_have_title(re.compile(r"^order.paid, \d+ \w{3} · Event log$"))
    page.reload()
    expect(page.locator("#detail .facts")).to_contain_text("178 in main")
    expect(page.locator("#detail")).to_contain_text("linked by its hash")
    page.locator("tr[data-id=e-179] button.open").click()
    expect(page.locator("#detail .facts dd").first).to_have_text(ODD)
    assert ODD in page.locator("#detail pre").first.inner_text().replace('\\"', '"')
    expect(page).to_have_title(re.compile("^<script>document.title='run'</script>.* · Event log$"))
    expect(page.locator("#rows-checked")).to_have_text("50 of 50 rows match their hashes")


def test_the_chain_is_scrubbed_and_zoomed(look: Watched) -> None:
    page = look.open(view="chain", seq=100)
    expect(page.locator(".chain-picture rect")).to_have_count(16)
    expect(page.locator(".chain-picture .chosen")).to_have_attribute("data-seq", "100")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.locator(".facts").first).to_contain_text("101 in main")
    page.select_option("#zoom", "64")
    expect(page.locator(".chain-picture rect")).to_have_count(64)
    expect(page.locator(".chain-picture [tabindex='0']")).to_have_count(1)  # one stop for the Tab key
    page.locator(".chain-picture .chosen").press("ArrowLeft")
    expect(page.locator(".facts").first).to_contain_text("100 in main")
    expect(page.locator(".chain-picture .chosen")).to_be_focused()
    page.locator("#seq").fill("3")
    expect(page.locator(".facts").first).to_contain_text("3 in main")
    page.locator(".chain-picture rect[data-seq='5']").click()
    expect(page.locator(".facts").first).to_contain_text("5 in main")


def test_an_audit_runs_from_the_page(look: Watched) -> None:
    page = look.open(view="audits")
    page.get_by_role("button", name="Audit everything").click()
    expect(page.get_by_role("heading", name="Report")).to_be_visible()
    expect(page.locator(".facts").first).to_contain_text("180 events, from 0 up to 180")


def test_another_chain_is_chosen(look: Watched) -> None:
    page = look.open()
    choose_chain(page, "second")
    expect(page.locator(".tile").first).to_contain_text("in second")
    page.get_by_role("link", name="Events").click()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_what_is_no_key_is_not_pinned(look: Watched) -> None:
    page = look.open(view="keys")
    page.fill("#vkey", "example.com/log/main+00000000+AAAA")
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("no verifier key")
    page.reload()
    expect(page.locator(".empty")).to_contain_text("No key is pinned")


def test_nothing_serious_stands_in_the_way_of_assistive_technology(look: Watched) -> None:
    """In no view and no theme, with an event open and verified, and all that can be unfolded."""
    for view in VIEWS:
        page = look.open(view=view, **({"event": "e-7", "source_id": "web-1"} if view == "events" else {}))
        if view == "events":
            page.get_by_role("button", name="Verify in my browser").click()
            page.wait_for_selector(".verification")
            page.wait_for_selector(".uplot canvas")
        for theme in ("light", "dark"):
            page.evaluate("theme => (document.documentElement.dataset.theme = theme)", theme)
            found = Axe().run(page).response["violations"]
            bad = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}]
            assert (view, theme, bad) == (view, theme, [])


def test_on_a_phone_the_first_row_and_what_is_tapped_are_on_the_screen(look: Watched) -> None:
    look.page.set_viewport_size({"width": 390, "height": 844})
    page = look.open(view="events")
    expect(page.locator("#rows-checked")).to_contain_text("50 of 50")
    row = page.locator("tbody tr").first
    expect(row.locator("td.summary")).to_be_in_viewport(ratio=1)
    row.locator("button.open").click()
    expect(page.locator("#verify")).to_be_in_viewport(ratio=1)
    expect(page.locator("#detail pre")).to_be_visible()
    page.locator("#close-detail").click()
    expect(page.locator("#detail-title")).to_be_hidden()
    page.set_viewport_size({"width": 360, "height": 740})
    for view in VIEWS:
        page = look.open(view=view)
        page.wait_for_load_state("networkidle")
        assert (view, page.evaluate("document.documentElement.scrollWidth <= 360")) == (view, True)


def test_the_keyboard_alone_walks_opens_verifies_and_comes_back(look: Watched) -> None:
    """Two keys from a row to its verification."""
    page = look.open(view="events")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("j")
    expect(page.locator("tr[data-id=e-179] button.open")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("tr[data-id=e-178] button.open")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#detail-title")).to_be_focused()
    expect(page.locator("#detail .facts")).to_contain_text("178 in main")
    page.keyboard.press("v")
    expect(page.locator(".verification")).to_be_visible()
    page.keyboard.press("j")  # the detail comes along
    expect(page.locator("#detail .facts")).to_contain_text("177 in main")
    expect(page.locator("tr[data-id=e-177] button.open")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#detail .facts")).to_have_count(0)
    expect(page.locator("tr[data-id=e-177] button.open")).to_be_focused()
    assert "event=" not in page.url
    page.locator("#search").press("j")  # who types is left alone
    expect(page.locator("#search")).to_have_value("j")


def test_a_click_on_a_value_shows_only_it_or_all_but_it(look: Watched) -> None:
    """Two clicks each; what was understood stands as chips, each of which one click takes away."""
    page = look.open(view="events", end_time=moment(175))  # e-0 to e-24
    row = page.locator("tr[data-id=e-22]")
    expect(row.locator("td.summary button").last).to_have_text("n=22")
    row.locator("td.summary button").last.click()
    page.locator("#only-this").click()
    expect(page.locator("#events-status")).to_have_text("Searched all 25 events: 1 fit.")
    assert rows(page) == ["e-22"]
    chips = page.get_by_role("list", name="What was understood")
    expect(chips.get_by_role("listitem")).to_have_count(2)
    page.get_by_role("button", name="Remove n is 22").click()
    expect(page.locator("tbody tr")).to_have_count(25)
    page.locator("tr[data-id=e-22] td.source button").click()
    page.locator("#not-this").click()
    expect(page.locator("#events-status")).to_have_text("Searched all 25 events: 12 fit.")
    assert rows(page) == [f"e-{n}" for n in reversed(range(25)) if n % 2]
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(12)
    page.locator("tr[data-id=e-21] button.open").click()
    page.locator("#detail .facts button.value").first.click()
    page.keyboard.press("Escape")
    expect(page.locator("#detail .facts button.value").first).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # the first choice has the focus
    page.wait_for_url(re.compile("event_type=user.login"))
    expect(page.locator("#events-status")).to_have_text(re.compile("Searched all 9 events: 4 fit."))
    page.get_by_role("button", name="Remove source is not web-0").click()
    expect(page.locator("tbody tr")).to_have_count(9)
    page.locator("details.columns summary").click()
    page.get_by_label("Sent by").check()
    expect(page.locator("table.events th").filter(has_text="Sent by")).to_have_count(1)
    expect(page.locator("tbody tr").first).to_contain_text("tester")


def test_a_theme_that_was_chosen_stays(look: Watched) -> None:
    page = look.open()
    page.get_by_role("button", name="Dark", exact=True).click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_one_line_finds_events_and_is_refused_at_its_place(look: Watched) -> None:
    page = look.open(view="events")
    box = page.get_by_label("Search", exact=True)
    lines: list[tuple[str, Callable[[int], bool]]] = [
        ("type:user.* source:web-1", lambda n: n % 3 == 0 and n % 2 == 1),
        (f"type:order.paid type:user.login after:{moment(31)}", lambda n: n % 3 < 2 and 200 - n <= 31),
        ("type:order.* source:web-0 order:asc", lambda n: n % 3 == 1 and n % 2 == 0),
    ]
    for line, fits in lines:
        box.fill(line)
        box.press("Enter")
        shown = [n for n in range(180) if fits(n)]
        expected = [f"e-{n}" for n in (shown if "asc" in line else reversed(shown))]
        expect(page.locator("tbody tr")).to_have_count(min(50, len(expected)))
        expect(page.locator("tbody tr").first).to_have_attribute("data-id", expected[0])
        assert rows(page) == expected[:50]
        assert box.input_value().startswith(line.split()[0])
    box.fill("source:web-1 tpye:x")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("unknown qualifier 'tpye' at 14; known: type, source, chain")
    assert page.evaluate("document.activeElement.value.slice(document.activeElement.selectionStart)") == "tpye:x"


def test_words_are_looked_for_page_by_page_with_an_honest_end(look: Watched) -> None:
    """A look is 20 pages; here the log gives pages of 2 events, so that it ends before the log does."""
    page = look.page
    page.route(
        "**/api/v1/events?*limit=1000*",
        lambda route: route.continue_(url=route.request.url.replace("limit=1000", "limit=2")),
    )
    look.open(view="events")
    page.get_by_label("Search", exact=True).fill('order.paid "17"')
    page.get_by_role("button", name="Search", exact=True).click()
    status = page.locator("#events-status")
    expect(status).to_have_text("Searched 40 of 180 events: 3 fit.")
    for searched in ("80 of", "120 of", "160 of", "all"):
        page.get_by_role("button", name="Search on").click()
        expect(status).to_contain_text(f"Searched {searched} 180 events")
    expect(page.get_by_role("button", name="Search on")).to_have_count(0)
    expected = [f"e-{n}" for n in reversed(range(180)) if n % 3 == 1 and "17" in f"{n} e-{n}"]
    assert rows(page) == expected
    expect(status).to_contain_text(f": {len(expected)} fit.")
