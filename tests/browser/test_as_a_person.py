"""What people come for, as they do it, and how many clicks it takes."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from admin.reindex import reindex
from eventlog.http.audits import run_scheduled
from eventlog.http.wired import wiring_of
from eventlog.wiring.audit import AuditWiring
from eventlog_client import EventLog
from eventlog_client.cli import main as eventlog
from tests.browser.conftest import serve_anew, watch
from tests.browser.dashboard import ServedLog

NIGHT = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0) - timedelta(days=2)
ATTACKER = "203.0.113.77"


def at(minutes: float) -> str:
    return (NIGHT + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


@pytest.fixture(scope="module")
def shop(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLog]:
    """Two quiet days, and in one night somebody who tries passwords; all of it audited and signed.

    Search fields were declared after the first event, so that one is found by none.
    """
    with serve_anew(mongo_uri, Path(tmp_path_factory.mktemp("log")), search_fields="user=/user; ip=/ip") as log:
        quiet = [("user.login", 60 * n - 600, f"u-{n}", f"198.51.100.{n}") for n in range(30)]
        tries = [("user.login_failed", n / 4, f"u-{100 + n}", ATTACKER) for n in range(40)]
        rows = sorted([*quiet, *tries], key=lambda row: row[1])
        events = [
            {"event_type": kind, "timestamp": at(minutes), "payload": {"user": user, "ip": ip}, "source_id": "web-1"}
            for kind, minutes, user, ip in rows
        ]
        log.append(events[0])
        run_scheduled(wiring_of(log.app, AuditWiring), "incremental")  # declares the fields
        with EventLog(log.url) as sender:
            sender.append_batch(events[1:])
        log.store.settle("main")
        assert log.log.audit("full").status == "intact"
        yield log


def types(page: Page, text: str) -> int:
    """Type into what has the focus; how many keys that took."""
    page.keyboard.type(text)
    return len(text)


def test_what_a_user_did_on_a_day_is_one_line_and_what_an_address_did_two_clicks(
    browser: Browser, shop: ServedLog
) -> None:
    """No click at all, as what is offered while one types is taken by keyboard; the address is chosen in a row."""
    with watch(browser, shop.url) as look:
        page = look.open(view="events")
        page.keyboard.press("Tab")
        page.get_by_label("Search", exact=True).focus()
        offered = page.locator("#suggestions li")
        keys = types(page, "us")
        expect(offered).to_have_text(["user:"])
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(offered).to_have_count(8)  # of the log's own values, from an index
        keys += types(page, "u-17")
        expect(offered).to_have_text(["user:u-17"])
        page.keyboard.press("Escape")
        keys += types(page, f" after:{NIGHT:%Y-%m-%d} before:{NIGHT + timedelta(days=1):%Y-%m-%d}")
        page.keyboard.press("Enter")
        expect(page.locator("#events-status")).to_have_text("1 event")
        expect(page.locator("tbody tr")).to_contain_text("user=u-17")
        expect(page.locator("#rows-checked")).to_have_text("1 of 1 row matches its hashes")
        assert keys <= 45  # and five that are no letters
        expect(page.locator("#unindexed")).to_contain_text("Not every event of this chain is indexed")
        assert reindex(shop.store, "") == 0
        page.get_by_role("button", name="Remove user:u-17").click()
        expect(page.locator("#unindexed")).to_have_count(0)
        expect(page.locator("#events-status")).to_have_text(re.compile("^First 50 of "))
        page.locator("tbody tr", has_text=ATTACKER).first.get_by_role("button", name=f"ip={ATTACKER}").click()
        page.locator("#only-this").click()  # two clicks, and the log finds it by its index
        expect(page.locator("#events-status")).to_have_text("40 events")
        expect(page).to_have_url(re.compile("key=ip%3A203.0.113.77"))
        expect(page.locator("#unindexed")).to_have_count(0)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy link").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        link = page.evaluate("navigator.clipboard.readText()")
        page.goto(link)
        expect(page.locator("#events-status")).to_have_text("40 events")
        assert ("chain=main" in link, "end_time=" in link) == (True, True)


def drag(page: Page, chart: Locator, start: float, end: float) -> None:
    """Draw a range, in parts of the chart's width."""
    box = chart.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], middle, steps=4)
    page.mouse.up()


def test_an_attack_is_found_downloaded_and_verified(browser: Browser, shop: ServedLog, tmp_path: Path) -> None:
    """One click on the legend, one range drawn, and two clicks for the evidence, which the command verifies."""
    with watch(browser, shop.url) as look:
        page = look.open(view="events")
        expect(page.locator("#events-status")).to_have_text("First 50 of 70")
        page.locator(".legend button", has_text="user.login_failed 40").click()
        expect(page.locator("#events-status")).to_have_text("40 events")
        expect(page.locator("tbody tr").first).to_contain_text(f"ip={ATTACKER}")
        chart = page.locator(".u-over")
        expect(chart).to_be_visible()
        box = chart.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.9)
        expect(page.locator(".tip")).to_contain_text(" UTC")
        expect(page.locator(".tip")).to_contain_text("user.login_failed")
        drag(page, chart, 0.25, 0.75)
        page.wait_for_url("**start_time=**end_time=**")
        expect(page.locator("#rows-checked")).to_contain_text("rows match their hashes")
        shown = page.locator("tbody tr").count()
        assert 15 <= shown <= 25
        page.locator("details.downloads summary").click()
        files = {}
        for words in ("CSV of this search", "NDJSON of this search", "Evidence bundle of this time range"):
            with page.expect_download() as download:
                page.get_by_role("button", name=words).click()
            files[words] = tmp_path / download.value.suggested_filename
            download.value.save_as(files[words])
        csv, ndjson, bundle = files.values()
        assert (len(csv.read_text().splitlines()), len(ndjson.read_text().splitlines())) == (shown + 1, shown)
        line = page.locator(".downloads .command")
        expect(line).to_have_text(f"eventlog verify-bundle {bundle.name} --key 'VKEY'")
        assert eventlog(["verify-bundle", str(bundle), "--key", shop.vkey]) == 0


def test_an_event_is_verified_and_its_proof_and_certificate_kept(
    browser: Browser, shop: ServedLog, tmp_path: Path
) -> None:
    """The key is pinned where it is missed; who has the proof verifies it with the command."""
    with watch(browser, shop.url) as look:
        page = look.open(view="events", **{"is": "%2Fuser%3Du-7"})
        page.locator("tbody tr button.open").click()
        page.locator("#verify").click()
        signature = page.locator("li[data-step=signature]")
        expect(signature).to_contain_text("Who signed the log?")
        expect(page.locator(".verdict")).to_have_text(
            "All hashes match. Not checked: who signed the log (no key pinned)."
        )
        page.fill("#pin-here", "nonsense")
        page.keyboard.press("Enter")
        expect(signature.get_by_role("alert")).to_contain_text("That is no verifier key of this log")
        page.fill("#pin-here", shop.vkey)
        page.keyboard.press("Enter")
        expect(page.locator(".verdict")).to_have_text(
            "Verified: unchanged, and part of the log signed with the key you trust."
        )
        expect(signature).to_contain_text("the key you trust")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save certificate").click()
        told = Path(download.value.path()).read_text()
        assert "Is the content unchanged? yes\n" in told
        assert "Signed checkpoint\n\nexample.com/log/main\n70\n" in told
        with page.expect_download() as download:
            page.get_by_role("button", name="Download proof").click()
        proof = tmp_path / download.value.suggested_filename
        download.value.save_as(proof)
        expect(page.locator("#detail .command")).to_contain_text(f"eventlog verify-proof {proof.name} --key '")
        assert eventlog(["verify-proof", str(proof), "--key", shop.vkey]) == 0
        page.emulate_media(media="print")
        expect(page.locator("pre.certificate")).to_be_visible()
        expect(page.locator("nav")).to_be_hidden()
        expect(page.locator("tbody tr")).to_be_hidden()


def test_times_in_the_viewer_s_own_zone_say_so(browser: Browser, shop: ServedLog) -> None:
    with watch(browser, shop.url, zone="Asia/Kolkata") as look:
        page = look.open(view="events")
        first = page.locator("tbody tr time").first
        stated = str(first.get_attribute("datetime"))
        expect(first).to_have_text(stated[:19].replace("T", " "))
        page.locator("#zone").click()
        expect(page.locator("#zone")).to_have_text("Times: local")
        expect(page.locator("table.events thead")).to_contain_text("Time (local)")
        local = datetime.fromisoformat(stated) + timedelta(hours=5, minutes=30)
        expect(page.locator("tbody tr time").first).to_have_text(f"{local:%Y-%m-%d %H:%M:%S}")
        both = str(page.locator("tbody tr time").first.get_attribute("title"))
        assert stated[:19].replace("T", " ") in both
        assert "(+05:30)" in both
