"""Crypto-shredding through a log: what is encrypted before it is sent stays so everywhere, and goes with its key."""

from pathlib import Path

import orjson

from eventlog.formats.event_json import parse_event
from eventlog.formats.members import parse_json
from eventlog.formats.note import format_vkey
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog_client import EventLog
from eventlog_client.cli import main
from eventlog_client.shred import Decrypted, KeyFolder, decrypt_members, encrypt_members
from tests.support.anchoring import KEY, put_anchor

NAME = "Ada Lovelace, born 10 December 1815"
PAYLOAD = {"customer": {"name": NAME, "country": "GB"}, "order": 4712}


def test_a_member_is_read_from_every_copy_until_its_key_is_destroyed(
    url: str, store: MongoStore, tmp_path: Path
) -> None:
    keys, bundle = KeyFolder(tmp_path / "keys"), tmp_path / "all.ndjson"
    sent = encrypt_members(PAYLOAD, {"/customer/name": "c-7f3a"}, event_id="order-4712", keys=keys)
    with EventLog(url) as log:
        receipt = log.append("order.placed", "web-1", sent, event_id="order-4712", timestamp="2026-11-23T12:00:00Z")
        again = log.append("order.placed", "web-1", sent, event_id="order-4712", timestamp="2026-11-23T12:00:00Z")
        assert receipt == again
        put_anchor(store, 1)
        event = log.get("order-4712")
        key = format_vkey(KEY.verifier(log.chain("main").origin, "main"))
    assert decrypt_members(event, keys) == Decrypted(PAYLOAD)
    assert main(["--url", url, "export", str(bundle)]) == 0
    store.settle("main")
    rows = [bytes(row.raw) for row in operations_of(store).raw_events.find({})]
    assert not any(NAME.encode() in copy for copy in [*rows, bundle.read_bytes()])
    keys.destroy("c-7f3a")
    assert main(["verify-bundle", str(bundle), "--key", key]) == 0
    lines = [orjson.loads(line) for line in bundle.read_bytes().splitlines()]
    (kept,) = [parse_event(parse_json(orjson.dumps(line["event"]))) for line in lines if "event" in line]
    assert decrypt_members(kept, keys) == Decrypted(sent, ("/customer/name",))
