"""What a proof costs in a chain of 10^6 events.

Storing a million events takes longer than a test may. So the chain here is a sparse one: every leaf and every node of
its tree is really computed, but only those events are stored that a proof under test may need, at their true places,
and a few hundred others beside them. An index finds a document among few as it does among many, and what explain counts
is the same (``tools/benchmarks/proofs.py`` measures proofs in a chain of that length that is stored whole).
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from uuid import uuid4

import pytest
from bson import Int64
from bson.raw_bson import RawBSONDocument

from eventlog.evidence.proofs import Evidence
from eventlog.formats import hashing, merkle
from eventlog.formats.event import ChainState, Entry, Event
from eventlog.formats.proof import Node, consistency_ranges, cover, inclusion_ranges, needed, verify_inclusion
from eventlog.formats.tiles import Tile
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.store import MongoStore, connect, open_log, operations_of
from eventlog.stored import codec
from eventlog.stored.sequences import new_sequence, settled_fields
from tests.support.anchoring import put_anchor
from tests.support.factories import draft
from tools.benchmarks.plans import Explainer

COUNT = 1_000_000
ORIGIN = "example.com/log"
PROVEN = (0, 1, 123_456, 499_999, 524_288, 777_777, 999_424, COUNT - 1)
OLDER = (1, 123_456, 524_287, 524_288, 999_999)
OTHERS = range(300_000, 300_500)


@dataclass(frozen=True)
class Sparse:
    """The stored part of the chain and a look at what is examined."""

    store: MongoStore
    explainer: Explainer
    root: bytes


def wanted() -> set[int]:
    """The seqs of the events that are stored."""
    nodes: set[Node] = set(cover(0, COUNT)) | {Node(16, index) for index in range(COUNT >> 16)}
    for index in PROVEN:
        nodes |= needed(inclusion_ranges(index, COUNT))
    for size in OLDER:
        nodes |= needed([*consistency_ranges(size, COUNT), (0, size)])
    return {node.last for node in nodes} | {*PROVEN, *OTHERS}


def build(store: MongoStore) -> bytes:
    """Store the sparse chain; the root of the whole one."""
    operations_of(store).ensure_indexes()
    seqs, events = wanted(), []
    state = ChainState(0, hashing.genesis(ORIGIN, "main"))
    blank = draft().entry
    for seq in range(COUNT):
        entry: Entry | None = None
        if seq in seqs:
            entry = draft(f"e{seq}").entry if seq in PROVEN else blank._replace(event_id=f"e{seq}")
        content_hash = entry.content_hash if entry else sha256(seq.to_bytes(8, "big")).digest()
        _, prev_hash, digest, nodes = state.append(content_hash)
        if entry:
            events.append(RawBSONDocument(codec.encode_event(Event(entry, seq, prev_hash, digest, nodes))))
    operations_of(store).raw_events.insert_many(events)
    fields = {"size": Int64(COUNT), "settled": settled_fields(state)}
    operations_of(store).sequences.insert_one(new_sequence("main", ORIGIN, state.hash) | fields)
    return state.root


@pytest.fixture(scope="module")
def sparse(mongo_uri: str) -> Iterator[Sparse]:
    name = f"test_{uuid4().hex[:12]}"
    with connect(mongo_uri) as client:
        store = open_log(client, name, ORIGIN)
        root = build(store)
        put_anchor(store)
        with closing(Explainer(mongo_uri, name)) as explainer:
            yield Sparse(store, explainer, root)
        client.drop_database(name)


def evidence_of(store: MongoStore) -> Evidence:
    return Evidence(MongoEvidenceReader(store))


@pytest.mark.parametrize("seq", PROVEN)
def test_a_proof_in_a_million_events_has_21_hashes_and_examines_45_documents_at_most(sparse: Sparse, seq: int) -> None:
    found = evidence_of(sparse.store).proof("main", f"e{seq}", None)
    verify_inclusion(found.event.hash, seq, COUNT, found.hashes, sparse.root)
    assert len(found.hashes) <= 21
    finds = sparse.explainer.finds_of(lambda store: evidence_of(store).proof("main", f"e{seq}", None))
    assert len(finds) == 2
    checkpoint, sequence = 1, 1
    assert sparse.explainer.examined(finds).documents + checkpoint + sequence <= 45


@pytest.mark.parametrize("size", OLDER)
def test_a_consistency_proof_to_a_million_events_examines_45_documents_at_most(sparse: Sparse, size: int) -> None:
    found = evidence_of(sparse.store).consistency("main", size, COUNT)
    assert (found.second_root, len(found.hashes) <= 21) == (sparse.root, True)
    finds = sparse.explainer.finds_of(lambda store: evidence_of(store).consistency("main", size, COUNT))
    assert len(finds) == 1
    assert sparse.explainer.examined(finds).documents + 1 <= 45


def test_a_tile_of_level_2_leads_to_the_frontier(sparse: Sparse) -> None:
    tile = evidence_of(sparse.store).tile("main", Tile(2, 0, COUNT >> 16))
    frontier: list[bytes] = []
    for at in range(0, len(tile), 32):
        merkle.append_leaf(frontier, at // 32, tile[at : at + 32])
    image = operations_of(sparse.store).read_sequence("main")
    assert image is not None
    assert frontier == image.settled.frontier[: len(frontier)]
