"""The browser finds every edit at the very step that it breaks, with nothing but the key that the viewer pinned."""

from typing import Any

import pytest
from bson import Binary, DatetimeMS
from playwright.sync_api import expect

from eventlog.formats.governance import event_id as names
from eventlog.store.mongo.store import operations_of
from eventlog.stored.erased import fields_to_empty
from tests.browser.dashboard import ODD, ServedLog, Watched, outcomes, pin, verify
from tests.support.anchored import ORIGIN
from tests.support.erased import GOVERNANCE, erasure, order_payload
from tests.support.factories import draft as new_draft

STEPS = ["payload", "content", "leaf", "inclusion", "signature"]
SERVED = {"served": "passed"}
"""What is shown is also what the log gives under its id."""
AWKWARD = {
    "numbers": [1e16, 0.1, -0.0, 1e-7, 333333333.33333329],
    "text": ODD,
    "\u20ac": {"10": 1, "2": 2},
    "\ufb33": None,
}


@pytest.fixture
def event_id(log: ServedLog) -> str:
    """One of seven anchored events, with a payload that is hard to write canonically."""
    log.append({}, {})
    (event_id,) = log.append({"payload": AWKWARD, "event_type": "odd", "source_id": "s\u00e9"})
    log.append({}, {}, {}, {})
    assert log.log.audit("full").status == "intact"
    return event_id


def test_an_honest_event_is_green_up_to_the_signature(look: Watched, log: ServedLog, event_id: str) -> None:
    pin(look, log.vkey)
    page = verify(look, event_id)
    assert outcomes(page) == dict.fromkeys(STEPS, "passed") | SERVED
    assert page.get_attribute(".verification", "data-outcome") == "passed"


def test_without_a_pinned_key_the_signature_is_not_checked(look: Watched, event_id: str) -> None:
    page = verify(look, event_id)
    assert outcomes(page) == dict.fromkeys(STEPS[:4], "passed") | {"signature": "skipped"} | SERVED
    page.get_by_role("link", name="Pin a key").click()
    page.wait_for_selector("#vkey")


def test_an_event_that_is_not_anchored_yet_says_so(look: Watched, log: ServedLog) -> None:
    (event_id,) = log.append({})
    page = verify(look, event_id)
    assert outcomes(page) == dict.fromkeys(STEPS[:3], "passed") | dict.fromkeys(STEPS[3:], "skipped") | SERVED


EDITS: dict[str, tuple[dict[str, Any], str]] = {
    "the payload": ({"payload": '{"amount":1}'}, "payload"),
    "the salt": ({"salt": Binary(bytes(16))}, "payload"),
    "the type": ({"event_type": "harmless"}, "content"),
    "the time": ({"timestamp": DatetimeMS(1_700_000_000_000)}, "content"),
    "the link": ({"prev_hash": Binary(bytes(32))}, "leaf"),
    "the principal": ({"principal": "somebody else"}, "content"),
}


def test_an_edit_turns_its_step_red(look: Watched, log: ServedLog, event_id: str) -> None:
    pin(look, log.vkey)
    honest = operations_of(log.store).events.find_one({"_id": f"main/{event_id}"})
    assert honest is not None
    for edit, (update, broken) in EDITS.items():
        log.edit(event_id, update)
        page = verify(look, event_id)
        expected = dict.fromkeys(STEPS, "passed") | SERVED | {broken: "failed"}
        if broken == "leaf":  # the log itself refuses to prove what its own links contradict
            expected |= {"inclusion": "failed", "signature": "skipped"}
        assert (edit, outcomes(page)) == (edit, expected)
        assert page.get_attribute(".verification", "data-outcome") == "failed", edit
        expect(page.locator("#detail [data-check=failed]")).to_be_visible()  # and before anybody asked
        expect(page.locator("tbody tr[data-check=failed]")).to_have_count(1)  # its row, which no audit has seen yet
        log.edit(event_id, {name: honest[name] for name in update})


def test_an_event_rewritten_with_all_its_hashes_is_not_in_the_signed_tree(
    look: Watched, log: ServedLog, event_id: str
) -> None:
    from eventlog.formats import hashing

    pin(look, log.vkey)
    row = operations_of(log.store).events.find_one({"_id": f"main/{event_id}"})
    assert row is not None
    payload_hash = hashing.payload_hash(row["salt"], b'{"amount":1}')
    content = hashing.content_hash(
        chain="main",
        event_id=event_id,
        event_type=row["event_type"],
        source_id=row["source_id"],
        timestamp=int(row["timestamp"]),
        received_at=int(row["received_at"]),
        principal=row["principal"],
        payload_hash=payload_hash,
    )
    new = hashing.leaf_hash(hashing.leaf(row["seq"], row["prev_hash"], content))
    hashes = {"payload_hash": payload_hash, "content_hash": content, "hash": new}
    log.edit(event_id, {"payload": '{"amount":1}'} | {name: Binary(value) for name, value in hashes.items()})
    found = outcomes(verify(look, event_id))
    assert [found[step] for step in STEPS[:3]] == ["passed"] * 3
    assert found["inclusion"] == "failed"


def test_a_signature_of_another_key_than_the_pinned_one_proves_nothing(
    look: Watched, log: ServedLog, event_id: str
) -> None:
    from eventlog.formats.note import VerifierKey, format_vkey
    from tests.support.anchored import new_key

    other = new_key(log.log.folder / "other").public_key
    pin(look, format_vkey(VerifierKey("example.com/log/main", other)))
    page = verify(look, event_id)
    assert outcomes(page) == dict.fromkeys(STEPS, "passed") | SERVED | {"signature": "skipped"}
    assert page.get_attribute(".verification", "data-outcome") == "skipped"


def test_an_erased_event_is_grey_at_its_payload_alone_if_the_chain_orders_it(
    look: Watched, log: ServedLog, event_id: str
) -> None:
    pin(look, log.vkey)
    log.log.governance = [GOVERNANCE.public_key]
    event = log.store.get("main", event_id)
    assert event is not None
    order = erasure((event.seq, event.hash), origin=ORIGIN)
    draft = new_draft(names(order), event_type=order.event_type, payload=order_payload(order))
    log.store.append("main", [draft])
    log.store.settle("main")
    log.edit(event_id, fields_to_empty(event))
    report = log.log.audit("full")
    assert (report.status, report.erased) == ("intact", 1)
    page = verify(look, event_id)
    assert outcomes(page) == dict.fromkeys(STEPS, "passed") | SERVED | {"payload": "skipped"}
    assert page.inner_text(".verdict").startswith("Erased by order of the chain.")
    expect(page.locator("#detail [data-erased]")).to_contain_text("Erased by order of dpo")
    expect(page.locator("#detail [data-erased]")).to_contain_text("gdpr-art-17")
    expect(page.locator(f"tr[data-id='{event_id}']")).to_have_attribute("data-check", "erased")
    # The log may not say so of any event: an order that is not what was logged orders nothing.
    forged = draft.entry.payload.replace("by dpo", "by nobody")
    log.edit(draft.entry.event_id, {"payload": forged})
    page = verify(look, event_id)
    assert outcomes(page)["payload"] == "failed"
    assert page.get_attribute(".verification", "data-outcome") == "failed"
    expect(page.locator("#detail [data-erased=unordered]")).to_be_visible()


def test_the_bytes_of_each_step_are_shown(look: Watched, log: ServedLog, event_id: str) -> None:
    page = verify(look, event_id)
    page.click("li[data-step=content] summary")
    shown = page.inner_text("li[data-step=content] details")
    assert f'"event_id":"{event_id}"' in shown
    row = operations_of(log.store).events.find_one({"_id": f"main/{event_id}"})
    assert row is not None
    assert shown.count(row["content_hash"].hex()) == 2
