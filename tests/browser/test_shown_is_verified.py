"""What is verified is the very object on screen, however it came there, whatever the log gives under its id later."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from eventlog.store.mongo.store import operations_of
from tests.browser.dashboard import ServedLog, Watched, outcomes, pin
from tests.support.second_row import plant_second_row

SHOWN, OTHER = 4, 2
"""The seq of the event that is looked at, and of one that is left alone."""
FORGED = '{"amount":1000000}'
SAME = "served"


@pytest.fixture
def filled(look: Watched, log: ServedLog) -> ServedLog:
    """Seven anchored events, and their key pinned."""
    log.append(*({"event_id": f"e-{n}", "payload": {"amount": n}} for n in range(7)))
    assert log.log.audit("full").status == "intact"
    pin(look, log.vkey)
    return log


def by_row(look: Watched) -> Page:
    page = look.open(view="events")
    _row(page).locator("button.open").click()
    return page


def by_live_row(look: Watched) -> Page:
    page = look.open(view="events", live="on")
    expect(page.locator("#events-status")).to_contain_text("Live")
    _row(page).locator("button.open").click()
    return page


def by_box(look: Watched) -> Page:
    page = look.open(view="chain", seq=0)
    page.locator(f".chain-picture rect[data-seq='{SHOWN}']").click()
    return page


def by_address(look: Watched) -> Page:
    return look.open(view="events", event=f"e-{SHOWN}")


def _row(page: Page) -> Any:
    """By its place, as two rows may have one id."""
    return page.locator("#main tbody tr").filter(has=page.get_by_role("cell", name=str(SHOWN), exact=True))


WAYS: dict[str, Callable[[Watched], Page]] = {
    "row": by_row,
    "live row": by_live_row,
    "box of the chain": by_box,
    "address": by_address,
}


def verified(page: Page) -> dict[str, str]:
    """What "Verify here" says of what is shown."""
    page.get_by_role("button", name="Verify in my browser").click()
    page.wait_for_selector(".verification")
    return outcomes(page)


def shown(page: Page, amount: int) -> None:
    expect(page.locator(".facts").first).to_contain_text(f"{SHOWN} in main")
    expect(page.locator("pre").first).to_contain_text(f'"amount": {amount}')


HONEST = f'{{"amount":{SHOWN}}}'


def test_an_event_is_held_to_what_was_shown_whatever_the_log_gives_later(look: Watched, filled: ServedLog) -> None:
    """Honest; edited after it was shown; and forged when it was shown, and put right before it is verified."""
    for way, look_at_it in WAYS.items():
        page = look_at_it(look)
        shown(page, SHOWN)
        assert set(verified(page).values()) == {"passed"}, way

        page = look_at_it(look)
        shown(page, SHOWN)
        filled.edit(f"e-{SHOWN}", {"payload": FORGED})
        found = verified(page)
        assert {step for step, outcome in found.items() if outcome != "passed"} == {SAME}, way
        assert page.get_attribute(".verification", "data-outcome") == "failed", way

        page = look_at_it(look)
        shown(page, 1_000_000)
        filled.edit(f"e-{SHOWN}", {"payload": HONEST})
        found = verified(page)
        assert {step for step, outcome in found.items() if outcome != "passed"} == {"payload", SAME}, way


def test_a_second_row_with_an_event_s_id_is_not_verified_by_the_first(look: Watched, filled: ServedLog) -> None:
    plant_second_row(operations_of(filled.store), seq=SHOWN, event_id=f"e-{OTHER}", payload=FORGED)
    for way in ("row", "live row", "box of the chain"):
        page = WAYS[way](look)
        shown(page, 1_000_000)
        expect(page.locator(".facts").first).to_contain_text(f"e-{OTHER}")
        found = verified(page)
        assert (found["inclusion"], found[SAME]) == ("failed", "failed"), way
        assert page.get_attribute(".verification", "data-outcome") == "failed", way


def test_an_event_that_is_gone_when_it_is_verified_is_said(look: Watched, filled: ServedLog) -> None:
    page = by_row(look)
    shown(page, SHOWN)
    operations_of(filled.store).events.delete_one({"_id": f"main/e-{SHOWN}"})
    found = verified(page)
    assert found[SAME] == "failed"
    expect(page.locator(f"li[data-step={SAME}]")).to_contain_text("has none with this id")


def test_an_event_that_comes_live_is_compared_too(look: Watched, filled: ServedLog) -> None:
    page = look.open(view="events", live="on")
    expect(page.locator("#events-status")).to_contain_text("Live")
    filled.append({"event_id": "late", "payload": {"amount": 7}})
    page.locator("tr.arrived[data-id=late] button.open").click()
    expect(page.locator(".facts").first).to_contain_text("7 in main")
    filled.edit("late", {"payload": FORGED})
    found = verified(page)
    assert (found["payload"], found[SAME]) == ("passed", "failed")


def test_the_log_may_not_answer_with_another_event_than_was_asked_for(look: Watched, filled: ServedLog) -> None:
    filled.edit(f"e-{SHOWN}", {"event_id": f"e-{OTHER}"})
    page = by_address(look)
    expect(page.get_by_role("alert")).to_contain_text(f"asked for event e-{SHOWN}")
    expect(page.locator(".facts")).to_have_count(0)


def test_another_event_in_its_place_is_not_called_this_one(look: Watched, filled: ServedLog) -> None:
    """A second row at one seq takes the unique index away first; here the event is edited between two questions."""
    page = look.open(view="events")
    expect(_row(page)).to_have_count(1)
    filled.edit(f"e-{SHOWN}", {"payload": FORGED})
    _row(page).locator("button.open").click()
    shown(page, SHOWN)
    neighbours = page.locator("#detail li").filter(has_text=f"{SHOWN} user.login")
    expect(neighbours).to_contain_text("NOT this one")
