"""Every text that is hashed: its contents, how it is written, and how it is read back.

``write`` follows the pages in docs/formats and uses none of the functions that hash. ``read`` is its inverse: what can
be read back whole says one thing only.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import bson
import orjson
import rfc8785
from bson import DatetimeMS, Int64
from hypothesis import strategies as st

from eventlog.anchors.history import rotation_id
from eventlog.audit.head_list import heads_message
from eventlog.audit.index_results import count_message
from eventlog.audit.round import round_message
from eventlog.audit.run_documents import voucher_message
from eventlog.audit.watch_position import WatchPosition, watch_message
from eventlog.formats import hashing, merkle
from eventlog.formats.anchor import KIND
from eventlog.formats.canonical import canonicalize
from eventlog.formats.checkpoint import origin_line
from eventlog.formats.name_filter import NameFilter
from eventlog.formats.names import CHAIN_PATTERN, ID_PATTERN
from eventlog.formats.note import ED25519, VerifierKey
from eventlog.formats.times import MAX_MILLIS, format_time, parse_time
from eventlog.http.cursor import format_cursor
from eventlog.ingest import cloudevents
from eventlog.store.interface import Position, Query
from eventlog.stored import codec

TEXT = st.text(max_size=12) | st.sampled_from(
    ["", '"', "\\", '","', "\0", "\n", "é", "e\u0301", "\u2028", "\U0001f600"]
)
HASH = st.binary(min_size=32, max_size=32)
SALT = st.binary(min_size=16, max_size=16)
MILLIS = st.integers(0, MAX_MILLIS) | st.sampled_from([0, MAX_MILLIS])
COUNT = st.integers(0, 2**63 - 1)
CHAIN = st.from_regex(CHAIN_PATTERN, fullmatch=True) | st.sampled_from(["v1", "main"])
KINDS = ("eventlog/anchor", "eventlog/audit", "eventlog/restore", "eventlog/strike-off")
ORIGIN = st.text("ab/~.:-_é", min_size=1, max_size=12) | st.sampled_from([*KINDS, "x", "x/main", "/", "a//"])
LINE = st.builds(origin_line, ORIGIN, CHAIN, st.integers(1, 9))
NUMBER = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUE = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
PAYLOAD = st.dictionaries(TEXT, VALUE, max_size=3).map(canonicalize)
SCALAR = (
    st.none() | st.booleans() | st.integers(2**31, 2**40).map(Int64) | st.integers(0, 9) | st.text(max_size=5) | HASH
)
DOCUMENT = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), SCALAR, max_size=4)


def digest(data: bytes) -> bytes:
    return sha256(data).digest()


@dataclass(frozen=True)
class Text:
    """What is hashed or signed: its contents, how they are written and read, and what the code makes of them."""

    contents: st.SearchStrategy[tuple[Any, ...]]
    write: Callable[..., bytes]
    read: Callable[[bytes], tuple[Any, ...]]
    made: Callable[..., Any]
    shorten: Callable[[bytes], Any] = digest


def same(data: bytes) -> bytes:
    return data


def read_content(data: bytes) -> tuple[Any, ...]:
    found = json.loads(data)
    assert list(found) == sorted(found)
    times = [parse_time(found[name]) for name in ("timestamp", "received_at")]
    names = ("chain", "event_id", "event_type", "source_id")
    return (*(found[name] for name in names), *times, found["principal"], bytes.fromhex(found["payload_hash"]))


def write_content(*values: Any) -> bytes:
    fields = dict(zip(CONTENT, values, strict=True))
    fields |= {name: format_time(fields[name]) for name in ("timestamp", "received_at")}
    return rfc8785.dumps(fields | {"v": 1, "payload_hash": fields["payload_hash"].hex()})


CONTENT = ("chain", "event_id", "event_type", "source_id", "timestamp", "received_at", "principal", "payload_hash")


def read_genesis(data: bytes) -> tuple[str, str]:
    head, _, line = data.decode().partition("\n")
    assert head == "eventlog/v1"
    origin, _, chain = line.rpartition("/")  # a chain's name has no slash, so the last one is the border
    return origin, chain


def write_signed_document(document: dict[str, Any]) -> bytes:
    return bson.encode(document)


def voucher_of(document: dict[str, Any]) -> bytes:
    return voucher_message(bson.encode(document | {"lease": Int64(1), "voucher": b"x"}), 7)


def round_of(document: dict[str, Any]) -> bytes:
    return round_message(bson.encode(document | {"voucher": b"x"}), "example.com/log", 7)


def count_of(document: dict[str, Any]) -> bytes:
    return count_message(bson.encode(document | {"voucher": b"x"}), "example.com/log", 7)


def heads_of(document: dict[str, Any]) -> bytes:
    return heads_message(bson.encode(document | {"voucher": b"x"}), "example.com/log", 7)


def read_position(data: bytes) -> tuple[str, bytes, int]:
    found = bson.decode(data, codec.CODEC)
    return found["log"], found["token"], int(found["time"])


def read_query(data: bytes) -> tuple[Any, ...]:
    (chain, sort, order, start, end), (types, sources, first, last) = orjson.loads(data)
    return chain, sort, order, start, end, tuple(types), tuple(sources), first, last


def write_query(*values: Any) -> bytes:
    chain, sort, order, start, end, types, sources, first, last = values
    return orjson.dumps([[chain, sort, order, start, end], [list(types), list(sources), first, last]])


def query_digest(*values: Any) -> bytes:
    names = ("chain", "sort", "order", "start_time", "end_time", "event_types", "source_ids", "from_seq", "to_seq")
    given = dict(zip(names, values, strict=True))
    filters = {name: NameFilter.of(given[name]) for name in ("event_types", "source_ids")}
    query: Any = Query(**(given | filters), limit=10)
    return base64.urlsafe_b64decode(format_cursor(query, 5, Position(1, 2)) + "==")[1:9]


NAMES = st.frozensets(TEXT.filter(bool), max_size=3)
FILTERS = st.builds(lambda exact, begin: tuple(NameFilter(exact, tuple(sorted(begin))).texts()), NAMES, NAMES)
MAYBE = st.none() | COUNT
QUERY = st.tuples(
    *(CHAIN, st.sampled_from(["time", "seq"]), st.sampled_from(["asc", "desc"])),
    MAYBE,
    MAYBE,
    FILTERS,
    FILTERS,
    MAYBE,
    MAYBE,
)
SOURCE = st.text("a/:é", min_size=1, max_size=8)
ID = st.text(min_size=1, max_size=8).filter(lambda text: not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text))
CE = {"specversion": "1.0", "type": "t"}
KEY = st.tuples(LINE, st.sampled_from([ED25519, KIND]), HASH)


def content_of_many(*values: Any) -> bytes:
    """Hash a content as the first of many."""
    named = dict(zip(CONTENT, values, strict=True))
    texts = [[named[name].encode()] for name in ("event_id", "event_type", "source_id", "principal")]
    times = [[named["timestamp"]], [named["received_at"]]]
    return hashing.content_hashes(named["chain"], texts, [named["payload_hash"]], times)[0]


HASHED: dict[str, Text] = {
    "formats.hashing:payload_hash": Text(
        st.tuples(SALT, PAYLOAD), lambda a, b: a + b, lambda d: (d[:16], d[16:]), hashing.payload_hash
    ),
    "formats.hashing:content_hash": Text(
        st.tuples(CHAIN, st.from_regex(ID_PATTERN, fullmatch=True), TEXT, TEXT, MILLIS, MILLIS, TEXT, HASH),
        write_content,
        read_content,
        lambda *values: hashing.content_hash(**dict(zip(CONTENT, values, strict=True))),
    ),
    "formats.hashing:payload_hashes": Text(
        st.tuples(SALT, PAYLOAD),
        lambda a, b: a + b,
        lambda d: (d[:16], d[16:]),
        lambda salt, payload: hashing.payload_hashes([salt], [payload])[0],
    ),
    "formats.hashing:content_hashes": Text(
        st.tuples(CHAIN, st.from_regex(ID_PATTERN, fullmatch=True), TEXT, TEXT, MILLIS, MILLIS, TEXT, HASH),
        write_content,
        read_content,
        content_of_many,
    ),
    "formats.hashing:leaf_hash": Text(
        st.tuples(st.integers(0, 2**64 - 1), HASH, HASH),
        lambda seq, a, b: b"\0" + seq.to_bytes(8, "big") + a + b,
        lambda d: (int.from_bytes(d[1:9], "big"), d[9:41], d[41:]),
        lambda *parts: hashing.leaf_hash(hashing.leaf(*parts)),
    ),
    "formats.hashing:leaf_hashes": Text(
        st.tuples(st.integers(0, 2**64 - 1), HASH, HASH),
        lambda seq, a, b: b"\0" + seq.to_bytes(8, "big") + a + b,
        lambda d: (int.from_bytes(d[1:9], "big"), d[9:41], d[41:]),
        lambda seq, before, content: hashing.leaf_hashes(seq, before, [content])[0],
    ),
    "formats.hashing:genesis": Text(
        st.tuples(ORIGIN, CHAIN), lambda a, b: f"eventlog/v1\n{a}/{b}".encode(), read_genesis, hashing.genesis
    ),
    "formats.merkle:node_hash": Text(
        st.tuples(HASH, HASH), lambda a, b: b"\1" + a + b, lambda d: (d[1:33], d[33:]), merkle.node_hash
    ),
    "formats.merkle:append_leaves": Text(
        st.tuples(HASH, HASH),
        lambda a, b: b"\1" + a + b,
        lambda d: (d[1:33], d[33:]),
        lambda a, b: merkle.append_leaves([a], 1, [b])[0][0],
    ),
    "formats.note:key_id": Text(
        KEY,
        lambda name, kind, key: name.encode() + b"\n" + kind + key,
        lambda d: (d.partition(b"\n")[0].decode(), d.partition(b"\n")[2][:-32], d[-32:]),
        lambda name, kind, key: VerifierKey(name, key, kind).key_id,
        lambda d: digest(d)[:4],
    ),
    "anchors.history:rotation_id": Text(
        st.tuples(HASH),
        same,
        lambda d: (d,),
        lambda key: rotation_id(7, key),
        lambda d: f"eventlog.key-7-{sha256(d).hexdigest()[:16]}",
    ),
    "ingest.cloudevents:event_id": Text(
        st.tuples(SOURCE, ID),
        lambda source, name: source.encode() + b"\0" + name.encode(),
        lambda d: (d.partition(b"\0")[0].decode(), d.partition(b"\0")[2].decode()),
        lambda source, name: cloudevents.read(CE | {"source": source, "id": name}, "main").event_id,
        lambda d: f"ce-{sha256(d).hexdigest()[:32]}",
    ),
    "audit.run_documents:voucher_message": Text(
        st.tuples(DOCUMENT),
        write_signed_document,
        lambda d: (bson.decode(d),),
        voucher_of,
        lambda d: f"eventlog/audit/v2\ntime 7\nreport {sha256(d).hexdigest()}\n".encode(),
    ),
    "audit.watch_position:watch_message": Text(
        st.tuples(st.text(max_size=20), st.binary(max_size=40), MILLIS),
        lambda name, token, time: bson.encode({"log": name, "token": token, "time": DatetimeMS(time)}),
        read_position,
        lambda name, token, time: watch_message(WatchPosition(token, time), name),
        lambda d: f"eventlog/watch/v1\nposition {sha256(d).hexdigest()}\n".encode(),
    ),
    "audit.round:round_message": Text(
        st.tuples(DOCUMENT),
        write_signed_document,
        lambda d: (bson.decode(d),),
        round_of,
        lambda d: f"eventlog/audit-round/v1\nlog example.com/log\ntime 7\nround {sha256(d).hexdigest()}\n".encode(),
    ),
    "audit.index_results:count_message": Text(
        st.tuples(DOCUMENT),
        write_signed_document,
        lambda d: (bson.decode(d),),
        count_of,
        lambda d: f"eventlog/segment-count/v1\nlog example.com/log\ntime 7\ncount {sha256(d).hexdigest()}\n".encode(),
    ),
    "audit.head_list:heads_message": Text(
        st.tuples(DOCUMENT),
        write_signed_document,
        lambda d: (bson.decode(d),),
        heads_of,
        lambda d: f"eventlog/audit-heads/v1\nlog example.com/log\ntime 7\nheads {sha256(d).hexdigest()}\n".encode(),
    ),
    "http.cursor:_digest": Text(QUERY, write_query, read_query, query_digest, lambda d: digest(d)[:8]),
}
"""By the function that hashes."""
