"""A page holds a log to keys of that log alone, whatever other log was served from its address before."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import orjson
import pytest
from playwright.sync_api import Page, Route, expect

from eventlog.evidence import checkpoints as evidence_checkpoints
from eventlog.evidence import proofs
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from eventlog.formats.cosignature import cosign
from eventlog.formats.note import VerifierKey, format_note, format_vkey, parse_note, sign_note
from eventlog.store.mongo.store import operations_of
from tests.browser.dashboard import ServedLog, Watched, outcomes, pin, verify
from tests.support.anchored import new_key
from tests.support.witnesses import cosigned, ed25519, ml_dsa, policy

OTHER = "other.example/log"


@pytest.fixture
def event_id(log: ServedLog) -> str:
    """An anchored event."""
    (event_id,) = log.append({})
    assert log.log.audit("full").status == "intact"
    return event_id


def keep(look: Watched, *vkeys: str) -> None:
    """Have keys in the browser's storage, as an earlier version or another log of the same address put them there."""
    look.open(view="keys").evaluate("(text) => localStorage.setItem('pinned-keys', text)", json.dumps(vkeys))


def failing(body: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=500, body=body)


def signature(page: Page) -> str:
    return page.locator("li[data-step=signature]").inner_text()


@pytest.mark.usefixtures("event_id")
def test_a_key_of_another_log_is_not_pinned(look: Watched, tmp_path: Path) -> None:
    key = new_key(tmp_path / "other").public_key
    page = look.open(view="keys")
    for name in (f"{OTHER}/main", "example.com/logs/main", "example.com/main", "x", "example.com/log"):
        page.fill("#vkey", format_vkey(VerifierKey(name, key)))
        page.get_by_role("button", name="Pin", exact=True).click()
        words = f"it is named {name}, and a key of this log is named example.com/log/ and the chain"
        expect(page.get_by_role("alert")).to_contain_text(words)
        assert page.evaluate("localStorage.getItem('pinned-keys')") is None


def test_keys_of_the_log_that_was_served_here_before_count_for_nothing(
    look: Watched, log: ServedLog, event_id: str
) -> None:
    """The same page, key and checkpoints, and then a server that says it is another log."""
    pin(look, log.vkey)
    assert outcomes(verify(look, event_id))["signature"] == "passed"
    log.app.state.connection.settings.origin = OTHER
    page = look.open(view="keys")
    expect(page.locator("#foreign")).to_contain_text(f"this log is {OTHER}")
    expect(page.locator("#coverage")).to_contain_text("No key is pinned")
    page = verify(look, event_id)
    assert outcomes(page)["signature"] == "failed"
    assert f"speaks for example.com/log/main, and not for the chain main of this log, {OTHER}" in signature(page)
    page = look.open(view="keys")
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#foreign")).to_have_count(0)


def hand_out_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the log hand out whatever checkpoints it has."""
    for module in (evidence_checkpoints, proofs):
        monkeypatch.setattr(module, "check_place", lambda *_: None)


@pytest.mark.parametrize("name", [f"{OTHER}/main", "example.com/log/second"])
def test_a_checkpoint_under_another_name_does_not_count(
    look: Watched, log: ServedLog, event_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, name: str
) -> None:
    """Of the very tree, and signed by a key that is in this browser, with the log's own beside it and without."""
    hand_out_anything(monkeypatch)
    other = new_key(tmp_path / "other")
    checkpoints = operations_of(log.store).checkpoints
    row = checkpoints.find_one({"chain": "main"}, sort=[("number", -1)])
    assert row is not None
    signed = parse_checkpoint(parse_note(row["note"].encode()).text)
    text = format_checkpoint(Checkpoint(name, signed.size, signed.root))
    checkpoints.update_one(
        {"_id": row["_id"]}, {"$set": {"note": format_note(sign_note(text, name, [other])).decode()}}
    )
    foreign = format_vkey(VerifierKey(name, other.public_key))
    for kept in ([], [foreign], [foreign, log.vkey]):
        keep(look, *kept)
        page = verify(look, event_id)
        assert outcomes(page)["signature"] == "failed", kept
        assert f"speaks for {name}" in signature(page)


def test_any_of_several_keys_of_one_name_may_have_signed(
    look: Watched, log: ServedLog, event_id: str, tmp_path: Path
) -> None:
    """The old key is pinned, then the log rotates to a new one, which is pinned later; either may come first.

    Between the two nothing is green and nothing is red: a key that nobody pinned says nothing of the event.
    """
    (old,) = log.log.signers
    new = new_key(tmp_path / "new")
    of_old, of_new = (format_vkey(VerifierKey("example.com/log/main", key.public_key)) for key in (old, new))
    pin(look, of_old)
    assert outcomes(verify(look, event_id))["signature"] == "passed"
    for signers, retired, expected in (
        ([new, old], [], "passed"),  # both sign for a while
        ([new], [old.public_key], "skipped"),
    ):
        log.log.signers, log.log.retired = [*signers], retired
        log.append({})
        assert log.log.audit().status == "intact"
        page = verify(look, event_id)
        assert outcomes(page)["signature"] == expected
    assert page.get_attribute(".verification", "data-outcome") == "skipped"
    words = signature(page)
    signed, pinned = words.split(" pinned is ")
    assert (of_new.split("+")[1] in signed, of_old.split("+")[1] in pinned) == (True, True)
    assert "from the operator, not from the log" in words
    pin(look, of_new)
    for kept in ([of_old, of_new], [of_new, of_old], [of_new]):
        keep(look, *kept)
        assert outcomes(verify(look, event_id))["signature"] == "passed"


def test_a_wrong_signature_in_a_pinned_key_s_name_is_tampering(
    look: Watched, log: ServedLog, event_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlike one of a key that is not known here: whoever wrote the line claims to have signed what it stands under."""
    hand_out_anything(monkeypatch)
    checkpoints = operations_of(log.store).checkpoints
    row = checkpoints.find_one({"chain": "main"}, sort=[("number", -1)])
    assert row is not None
    note = parse_note(row["note"].encode())
    forged = replace(note, signatures=tuple(replace(one, value=bytes(64)) for one in note.signatures))
    checkpoints.update_one({"_id": row["_id"]}, {"$set": {"note": format_note(forged).decode()}})
    keep(look, log.vkey)
    assert outcomes(verify(look, event_id))["signature"] == "failed"


def test_a_failure_on_the_way_is_not_tampering(look: Watched, event_id: str) -> None:
    """An error of the server or its gateway says nothing of the event: it is told, and can be tried again."""
    page = look.open(view="events", event=event_id)
    problem = {"title": "Internal Server Error", "status": 500, "detail": "Something went wrong here."}
    for path in ("**/proof*", f"**/events/{event_id}?*"):
        for body in (json.dumps(problem), '{"message":"Internal Server Error"}'):
            page.route(path, failing(body))
            page.get_by_role("button", name="Verify in my browser").click()
            expect(page.get_by_role("alert")).to_be_visible()
            expect(page.locator(".verification")).to_have_count(0)
            page.unroute(path)
            page.get_by_role("button", name="Try again").click()
            expect(page.locator(".verification")).to_be_visible()


TIME = 1_764_000_000
WITNESSES = [ed25519("w.example/acme", 1), ed25519("w.example/beta", 2), ml_dsa("w.example/gamma", 3)]


@pytest.mark.usefixtures("event_id")
def test_who_has_cosigned_a_chain_is_checked_here_and_shown_with_the_time(look: Watched, log: ServedLog) -> None:
    row = operations_of(log.store).checkpoints.find_one({"chain": "main"}, sort=[("number", -1)])
    assert row is not None
    note = row["note"].encode()
    served = [note]
    look.open(view="keys")
    look.page.route("**/api/v1/chains/main/checkpoint", lambda route: route.fulfill(body=served[0].decode()))
    pin(look, log.vkey)
    page = look.open(view="chain")
    expect(page.locator("#witnessed")).to_contain_text("give a policy")
    page = look.open(view="keys")
    page.fill("#policy", "quorum orgs")
    page.click("#keep-policy")
    expect(page.get_by_role("alert")).to_contain_text("no witness or group orgs is defined above")
    page.fill("#policy", policy("orgs", *WITNESSES, needed="2").decode().rstrip())
    page.click("#keep-policy")
    expect(page.locator("#policy")).to_have_value(policy("orgs", *WITNESSES, needed="2").decode())
    for keys, outcome, words in (
        (WITNESSES[:2], "passed", "by"),
        (WITNESSES, "passed", "by"),
        (WITNESSES[:1], "incomplete", "has no quorum: quorum orgs: 1 of 2; no line of w1, w2"),
        (WITNESSES[1:], "incomplete", "has no quorum: quorum orgs: 1 of 2; no line of w0, w2"),
        ([], "incomplete", "no line of w0, w1, w2"),
    ):
        served[0] = cosigned(note, TIME, *keys) if keys else note
        page = look.open(view="chain")
        expect(page.locator(f"#witnessed [data-chain=main][data-outcome={outcome}]")).to_contain_text(words)
        expect(page.locator("#witnessed [data-chain='eventlog.registry']")).to_have_count(int(outcome == "incomplete"))
        items = page.locator("#witnessed [data-chain=main] li")
        expect(items).to_have_count(len(keys))
        assert [("2025-11-24T16:00:00" in one, "not checked here" in one) for one in items.evaluate_all(OUTER)] == [
            (True, each is WITNESSES[2]) for each in keys
        ]
    by_the_registry(look, log)
    served[0] = note
    forged = ed25519("w.example/acme", 9)
    line = cosign(parse_note(note).text, TIME, [forged])[0]
    wrong = replace(line, key_id=WITNESSES[0].key.key_id)
    served[0] = format_note(replace(parse_note(note), signatures=(*parse_note(note).signatures, wrong)))
    page = look.open(view="chain")
    expect(page.locator("#witnessed [data-outcome=failed]")).to_contain_text(
        "the signature of w.example/acme is not valid"
    )
    assert page.locator("#witnessed li").count() == 0
    page = look.open(view="keys")
    page.fill("#policy", "")
    page.click("#keep-policy")
    expect(page.locator("#policy")).to_have_value("")
    page = look.open(view="chain")
    expect(page.locator("#witnessed")).to_contain_text("give a policy")


def by_the_registry(look: Watched, log: ServedLog) -> None:
    """Witnesses cosign the registry alone; the page itself leads the chain's checkpoint up to theirs."""
    log.log.audit_all()
    proof = orjson.loads(urlopen(f"{log.url}/api/v1/chains/main/head").read())
    checkpoint = proof["registry"]["checkpoint"].encode()
    look.page.route("**/api/v1/chains/main/head", lambda route: route.fulfill(json=proof))
    found = look.page.locator("#witnessed [data-chain='eventlog.registry']")
    honest = dict(proof["registry"])
    proof["registry"]["checkpoint"] = cosigned(checkpoint, TIME, *WITNESSES[:2]).decode()
    look.open(view="chain")
    expect(found).to_have_attribute("data-outcome", "passed")
    expect(found).to_contain_text("Witnessed: 1 event, by")
    assert [("w0" in one, "2025-11-24T16:00:00" in one) for one in found.locator("li").evaluate_all(OUTER)] == [
        (True, True),
        (False, True),
    ]
    expect(found).to_contain_text("Your browser has checked that checkpoint 1 of this chain (1 event, ")
    for change, outcome, words in (
        (
            {"registry": honest},
            "incomplete",
            "Witnessed: the registry’s checkpoint of 2 events has no quorum: quorum orgs: 0 of 2",
        ),
        ({"index": proof["index"] + 1}, "failed", "the event is not in a tree of this size"),
        ({"count": 9}, "failed", "the commitment is to 1 heads, and the proof is of 9"),
    ):
        before = {name: proof[name] for name in change}
        proof.update(change)
        look.open(view="chain")
        expect(found).to_have_attribute("data-outcome", outcome)
        expect(found).to_contain_text(words)
        proof.update(before)


OUTER = "(found) => found.map((one) => one.outerHTML)"
