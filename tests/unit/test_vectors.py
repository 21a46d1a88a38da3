"""Format version 1 against vectors of other implementations (their origin: tests/vectors/README.md)."""

import json
from pathlib import Path
from typing import Any

import pytest

from eventlog.formats import hashing, merkle
from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import ChainState, Event, make_entry
from eventlog.formats.strict_json import parse
from eventlog.formats.times import format_time, parse_time

VECTORS = Path(__file__).parent.parent / "vectors"
CHAIN = json.loads((VECTORS / "chain.json").read_text())


@pytest.mark.parametrize("name", sorted(p.name for p in (VECTORS / "jcs" / "input").iterdir()))
def test_canonical_json_equals_the_reference_output(name: str) -> None:
    value = parse((VECTORS / "jcs/input" / name).read_bytes(), max_depth=32)
    assert canonicalize(value) == (VECTORS / "jcs/output" / name).read_bytes()


def derive() -> list[tuple[dict[str, Any], Event, bytes]]:
    state = ChainState(0, hashing.genesis(CHAIN["origin"], "main"))
    out = []
    for vector in CHAIN["events"]:
        fields = {k: vector[k] for k in ("chain", "event_id", "event_type", "source_id", "principal")}
        entry = make_entry(
            **fields,
            timestamp=parse_time(vector["timestamp"]),
            received_at=parse_time(vector["received_at"]),
            payload=canonicalize(vector["payload"]).decode(),
            salt=bytes.fromhex(vector["salt"]),
        )
        (event,) = state.extend([entry])
        out.append((vector, event, state.root))
    return out


@pytest.mark.parametrize(("vector", "event", "root"), derive())
def test_every_value_of_the_chain_vector_is_reproduced(vector: dict[str, Any], event: Event, root: bytes) -> None:
    entry = event.entry
    assert entry.payload == vector["payload_canonical"]
    assert format_time(entry.timestamp) == vector["timestamp"]
    assert entry.payload_hash.hex() == vector["payload_hash"]
    assert entry.content_hash.hex() == vector["content_hash"]
    assert event.seq == vector["seq"]
    assert event.prev_hash.hex() == vector["prev_hash"]
    assert hashing.leaf(event.seq, event.prev_hash, entry.content_hash).hex() == vector["leaf"]
    assert event.hash.hex() == vector["hash"]
    assert [node.hex() for node in event.nodes] == vector["nodes"]
    assert root.hex() == vector["root"]


def test_genesis_and_empty_root_equal_the_vector() -> None:
    assert hashing.genesis(CHAIN["origin"], "main").hex() == CHAIN["genesis"]
    assert merkle.EMPTY_ROOT.hex() == CHAIN["empty_root"] == merkle.root([]).hex()
