"""Every decoder refuses bytes of another length, and values of another type, wherever they stand in what it reads."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from bson import DatetimeMS, Int64
from bson.binary import Binary

from eventlog.audit.run_documents import read_run
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import ChainState
from eventlog.formats.event_json import format_event, parse_event, parse_receipt
from eventlog.formats.members import parse_json
from eventlog.ingest.queue_message import MessageError, format_message, parse_message
from eventlog.stored import codec
from eventlog.stored.anchor_copies import AnchorCopy, encode_copy, read_copy
from eventlog.stored.errors import NotOursError
from eventlog.stored.sequences import SequenceImage, decode_sequence, encode_sequence
from eventlog_client.errors import StateError
from eventlog_client.state import Trusted, format_state, parse_state
from tests.support.each import each
from tests.support.evidence import CHAIN, KEY, ORIGIN, START, checkpoint_of, events, signed
from tests.support.factories import draft

Path_ = tuple[str | int, ...]
EVENTS = list(events(7))
STATE = ChainState(0, EVENTS[0].prev_hash)
for _event in EVENTS:
    STATE.append(_event.entry.content_hash)
REPORTS = Path(__file__).parents[1] / "vectors" / "stored_reports.json"
RUN = next(
    codec.decode(bytes.fromhex(vector["stored"]))
    for vector in json.loads(REPORTS.read_text())["documents"]
    if vector["name"].startswith("running")
)
PENDING = EVENTS[6].entry
SEQUENCE = SequenceImage(b"", CHAIN, ORIGIN, 7, STATE, [PENDING], len(codec.encode_entry(PENDING)))
COPY = AnchorCopy(CHAIN, 3, 7, START, b"a note", ("a key",))

Stored = tuple[bytes, Callable[[bytes], object]]
STORED: dict[str, Stored] = {
    "event": (codec.encode_event(EVENTS[3]), codec.decode_event),
    "events": (codec.encode_event(EVENTS[3]), codec.decode_events),
    "sequence": (encode_sequence(SEQUENCE), decode_sequence),
    "copy of an anchor": (encode_copy(COPY), lambda raw: read_copy(codec.decode(raw))),
    "running audit": (codec.encode({**RUN, "voucher": b"s" * 64}), read_run),
}
HEX: dict[str, tuple[dict[str, Any], Callable[[Any], object], type[Exception]]] = {
    "event": (parse_json(format_event(EVENTS[3])), parse_event, EvidenceError),
    "receipt": (parse_json(format_event(EVENTS[3])), parse_receipt, EvidenceError),
}


def places(value: Any, kind: type, path: Path_ = ()) -> Iterator[Path_]:
    """Where values of a type stand in a document."""
    if type(value) is kind:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if type(value) is list else ():
        yield from places(inner, kind, (*path, key))


def put(value: Any, path: Path_, new: Callable[[Any], Any]) -> Any:
    """The document with another value in one place."""
    if not path:
        return new(value)
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy


@each("name", STORED)
@each(
    "change",
    [lambda v: v[:-1], lambda v: v + b"\0", lambda _: b"", lambda v: v * 2, lambda v: v.hex(), lambda v: Binary(v, 4)],
)
def test_bytes_of_another_length_or_type_are_refused(name: str, change: Callable[[bytes], Any]) -> None:
    raw, decode = STORED[name]
    decode(raw)
    document = codec.decode(raw)
    # A signature of another length is no signature, and that is what its reader says of it.
    found = [path for path in places(document, bytes) if path != ("voucher",)]
    assert found or name == "copy of an anchor"
    for path in found:
        with pytest.raises(NotOursError):
            print(path, decode(codec.encode(put(document, path, change))))


@each("name", STORED)
@each("kind, other", [(str, 7), (Int64, 7.0), (DatetimeMS, 7), (bytes, "text"), (list, {}), (dict, [])])
def test_values_of_another_type_are_refused(name: str, kind: type, other: object) -> None:
    raw, decode = STORED[name]
    document = codec.decode(raw)
    for path in filter(None, places(document, kind)):
        with pytest.raises(NotOursError):
            print(path, decode(codec.encode(put(document, path, lambda _: other))))


@each("chain", ["", "a/b", "/", "main/", "Main", "main~2", "a\nb", "-a", "x" * 65])
def test_what_no_chain_can_be_called_is_refused_wherever_a_chain_is_read(chain: str) -> None:
    event = codec.decode(STORED["event"][0]) | {"chain": chain}
    sequence = codec.decode(STORED["sequence"][0]) | {"_id": chain}
    for document, decode in ((event, codec.decode_event), (sequence, decode_sequence)):
        with pytest.raises(NotOursError, match="no name that a chain can have"):
            decode(codec.encode(document))
    for fields, parse, error in HEX.values():
        with pytest.raises(error, match="chain"):
            parse(fields | {"chain": chain})


@each("fields", [{"number": Int64(0)}, {"number": Int64(-1)}, {"size": Int64(-1)}, {"time": DatetimeMS(-1)},
                 {"time": DatetimeMS(2**60)}])  # fmt: skip
def test_a_copy_of_an_anchor_out_of_range_is_refused(fields: dict[str, Any]) -> None:
    document = codec.decode(encode_copy(COPY)) | fields
    number = int(document["number"])
    with pytest.raises(NotOursError, match="out of range"):
        read_copy(document | {"_id": f"{CHAIN}/{number:012}"})


WRONG_HEX: list[Callable[[str], Any]] = [
    *(lambda v: v[:-2], lambda v: v + "00", lambda v: v[:-1], lambda _: "", lambda v: f" {v[1:]}"),
    *(lambda v: f"A{v[1:]}", bytes.fromhex, len),
]


@each("name", HEX)
@each("change", WRONG_HEX)
def test_hexadecimal_of_another_length_or_form_is_refused(name: str, change: Callable[[str], Any]) -> None:
    fields, parse, error = HEX[name]
    parse(fields)
    for member in fields:
        if (member == "salt" or member.endswith("hash")) and (name, member) not in UNREAD:
            with pytest.raises(error):
                print(member, parse(fields | {member: change(fields[member])}))


UNREAD = {("receipt", "salt"), ("receipt", "payload_hash")}
"""An event stands for its receipt, and what a receipt has not is not read."""


def test_a_queue_message_with_another_salt_is_refused() -> None:
    message = json.loads(format_message(draft()))
    for salt in (message["salt"][:-2], message["salt"] + "00", "", message["salt"].upper() + "A", 7):
        with pytest.raises(MessageError):
            parse_message(json.dumps(message | {"salt": salt}, separators=(",", ":")))


def test_a_monitor_s_state_with_a_hash_of_another_length_is_refused() -> None:
    """Of two nodes whose border is moved the tree's root would be the same."""
    head = checkpoint_of(EVENTS[:6])
    state = ChainState(0, EVENTS[0].prev_hash)
    for event in EVENTS[:6]:
        state.append(event.entry.content_hash)
    data = format_state(Trusted(head, signed(head).decode(), KEY.named(), state))
    assert parse_state(data).head == state
    value = json.loads(data)
    left, right = value["frontier"]
    for frontier in ([left + right[:2], right[2:]], [left[:-2], left[-2:] + right]):
        with pytest.raises(StateError):
            parse_state(orjson.dumps(value | {"frontier": frontier}))
