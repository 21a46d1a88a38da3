"""The examples in docs/formats are real: each is taken from its page, made again, parsed and verified."""

import base64
import json
import re
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventlog.anchors.history import rotation_id
from eventlog.anchors.rounds import ROUNDS, round_key
from eventlog.anchors.standings import STANDINGS, standing_key
from eventlog.formats import bundle, hashing, merkle
from eventlog.formats.anchor import KIND, NO_ANCHOR, Anchor, Seal, parse_claim, sign_anchor, verify_anchor
from eventlog.formats.bundle_check import verify_bundle
from eventlog.formats.canonical import canonicalize, is_canonical_object
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, origin_line, verify_checkpoint
from eventlog.formats.cosignature import (
    Cosignature,
    Subtree,
    cosign,
    format_subtree,
    parse_cosigned,
    verify_cosignatures,
)
from eventlog.formats.event import ChainState, Erased, Event, make_entry
from eventlog.formats.event_json import check_event, check_receipt, format_event, parse_event, parse_receipt, receipt_of
from eventlog.formats.governance import Erasure, Hold, Release, event_id, format_order
from eventlog.formats.governance_note import KIND as GOVERNANCE
from eventlog.formats.governance_note import parse_governance_vkey, sign_order, signed_message, verify_order
from eventlog.formats.head_proof import head_proof_fields, parse_head_proof, verify_head_proof
from eventlog.formats.heads import (
    HeadLeaf,
    HeadTree,
    commitment_payload,
    format_commitment,
    format_head,
    parse_commitment,
    read_commitment,
)
from eventlog.formats.members import parse_json
from eventlog.formats.note import VerifierKey, format_note, format_vkey, parse_note, parse_vkey, sign_note
from eventlog.formats.pack import format_pack, parse_pack
from eventlog.formats.policy import parse_policy
from eventlog.formats.proof import verify_consistency
from eventlog.formats.quorum import missing
from eventlog.formats.restore import Restore, sign_restore, verify_restore
from eventlog.formats.round import sign_round, verify_round
from eventlog.formats.search_keys import SearchFields
from eventlog.formats.segment import sign_segment, verify_segment_note
from eventlog.formats.standing import sign_standing, verify_standing
from eventlog.formats.strike_off import StrikeOff, sign_strike_off, verify_strike_off
from eventlog.formats.tiles import decode_entries, encode_entries, format_tile, parse_tile
from eventlog.formats.times import parse_time
from eventlog.formats.tlog_proof import TlogProof, format_tlog_proof, parse_tlog_proof, verify_tlog_proof
from eventlog.formats.witness_protocol import AddCheckpoint, format_answer, origin_hash, parse_request, parse_size
from eventlog.ingest.queue_message import format_message, parse_message
from eventlog.store.interface.segments import segment_id
from eventlog.stored.codec import decode_event, encode, encode_entry, encode_event
from eventlog.stored.erased import erased_document
from eventlog.stored.keys import keys_fields
from eventlog.stored.sequences import SequenceImage, decode_sequence, encode_sequence
from tests.support import bundle_v2
from tests.support.witnesses import cosigned, ed25519

PAGES = Path(__file__).parents[2] / "docs" / "formats"
_EXAMPLE = re.compile(r"^<!-- example: ([a-z0-9-]+) -->\n```(json|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLES: dict[str, dict[str, bytes]] = {
    page.stem: {name: content.encode() for name, _, content in _EXAMPLE.findall(page.read_text())}
    for page in PAGES.glob("*.md")
}
ORIGIN, CHAIN = "log.example/events", "main"
LINE = origin_line(ORIGIN, CHAIN)


class PageKey:
    """The test key of the pages, whose seed is printed there: the bytes 0 to 31."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.public_key = self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


KEY = PageKey()
PINNED = [VerifierKey(LINE, KEY.public_key)]
WITNESS = ed25519("witness.example/w1", bytes(range(32, 64)))
ALL = {
    "README": {"public-key"},
    "event-and-chain": {
        *("events", "genesis", "payload", "salt", "payload-hash", "content", "content-hash", "leaf", "hash"),
        *("node", "root", "stored-event", "erased-event", "stored-sequence", "registered", "rotation-id"),
    },
    "receipt": {"receipt"},
    "checkpoint-and-seal": {"vkey", "checkpoint", "anchor-1", "digest-1", "claim-2", "anchor-2", "seal-2"},
    "pack": {"pack"},
    "proof-file": {"proof"},
    "bundle": {"bundle", "bundle-v2"},
    "tiles": {"paths", "tile", "entries"},
    "restore-note": {"restore", "vkey"},
    "strike-off-note": {"strike-off", "vkey"},
    "governance-note": {"erasure", "signed", "vkey", "event-id", "hold", "release"},
    "encrypted-members": {"payload", "key", "nonce", "plaintext", "additional-data", "ciphertext", "encrypted"},
    "round-note": {"round", "key"},
    "heads": {"leaves", "root", "signed", "payload", "proof"},
    "segment-note": {"segment", "key"},
    "standing-note": {"standing", "key"},
    "search-fields": {"declaration", "payload", "keys", "stored-keys"},
    "queue-message": {"message"},
    "cosignature": {"vkey", "message", "subtree", "cosigned", "request", "answer", "size", "origin-hash"},
    "policy": {"policy", "lack"},
    "cursor": set[str](),
}


def text(page: str, name: str) -> bytes:
    """An example byte for byte, with the newline at its end."""
    return EXAMPLES[page][name]


def unhexed(page: str, name: str) -> bytes:
    """An example in hexadecimal, whose line breaks are for the reader."""
    return bytes.fromhex(text(page, name).decode().replace("\n", ""))


def leaf(event: Event) -> bytes:
    return hashing.leaf(event.seq, event.prev_hash, event.entry.content_hash)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """The example log, its places and nodes derived anew from what the page says of each event."""
    shown = [parse_event(parse_json(line)) for line in text("event-and-chain", "events").splitlines()]
    for event in shown:
        check_event(event)
    derived = list(ChainState(0, hashing.genesis(ORIGIN, CHAIN)).extend(event.entry for event in shown))
    assert [event._replace(nodes=()) for event in derived] == shown
    return derived


@pytest.fixture(scope="module")
def states(events: list[Event]) -> list[ChainState]:
    """The chain's state at each size."""
    found = [ChainState(0, hashing.genesis(ORIGIN, CHAIN))]
    for event in events:
        found.append(found[-1].copy())
        found[-1].append(event.entry.content_hash)
    return found


@pytest.fixture(scope="module")
def anchors(states: list[ChainState]) -> list[Anchor]:
    """The two anchors, signed anew from the fields the pages state."""
    times = [parse_time("2026-11-23T12:35:00Z"), parse_time("2026-11-23T12:36:00Z")]
    first = sign_anchor(Checkpoint(LINE, 2, states[2].root), Seal(1, times[0], NO_ANCHOR), [KEY])
    previous = sha256(first).digest()
    second = sign_anchor(Checkpoint(LINE, 3, states[3].root), Seal(2, times[1], previous), [KEY])
    return [verify_anchor(data, [KEY.public_key]) for data in (first, second)]


def test_every_format_has_a_page_and_every_example_is_held_by_a_test() -> None:
    assert {page: set(examples) for page, examples in EXAMPLES.items()} == ALL
    index = (PAGES / "README.md").read_text()
    assert all(f"]({page}.md)" in index for page in ALL if page != "README")


@pytest.mark.parametrize("page", sorted(set(ALL) - {"README", "cursor"}))
def test_each_page_says_its_purpose_how_to_parse_and_what_must_be(page: str) -> None:
    content = (PAGES / f"{page}.md").read_text()
    said = {"purpose": "**Purpose.**", "how to parse": "trict", "what must be": "MUST", "numbered fields": "\n| # |"}
    assert [what for what, words in said.items() if words not in content] == []


def test_the_events_are_written_as_the_api_writes_them(events: list[Event]) -> None:
    assert b"".join(format_event(event) + b"\n" for event in events) == text("event-and-chain", "events")
    assert events[0].prev_hash == unhexed("event-and-chain", "genesis")


def test_event_1_gives_each_step_of_the_page(events: list[Event]) -> None:
    payload, content = (text("event-and-chain", name).rstrip(b"\n") for name in ("payload", "content"))
    salt = unhexed("event-and-chain", "salt")
    assert (len(salt), payload.decode()) == (16, events[1].entry.payload)
    assert is_canonical_object(payload)
    assert canonicalize(json.loads(content)) == content
    assert sha256(salt + payload).digest() == unhexed("event-and-chain", "payload-hash")
    assert sha256(content).digest() == unhexed("event-and-chain", "content-hash") == events[1].entry.content_hash
    assert json.loads(content)["payload_hash"] == unhexed("event-and-chain", "payload-hash").hex()
    assert unhexed("event-and-chain", "leaf") == leaf(events[1])
    assert sha256(b"\0" + leaf(events[1])).digest() == unhexed("event-and-chain", "hash") == events[1].hash


def test_the_tree_has_the_node_and_the_root_of_the_page(events: list[Event], states: list[ChainState]) -> None:
    node = unhexed("event-and-chain", "node")
    assert events[1].nodes == (node,)
    assert sha256(b"\1" + events[0].hash + events[1].hash).digest() == node
    assert merkle.node_hash(node, events[2].hash) == unhexed("event-and-chain", "root") == states[3].root


def test_the_stored_documents_are_what_the_store_writes(events: list[Event], states: list[ChainState]) -> None:
    raw, sequence = unhexed("event-and-chain", "stored-event"), unhexed("event-and-chain", "stored-sequence")
    assert decode_event(raw) == events[1]
    assert encode_event(events[1]) == raw
    assert f"({len(raw)} bytes of BSON)" in (PAGES / "event-and-chain.md").read_text()
    erased = unhexed("event-and-chain", "erased-event")
    assert erased_document(raw) == erased
    assert encode_event(decode_event(erased)) == erased
    assert f"({len(erased)} bytes of BSON)" in (PAGES / "event-and-chain.md").read_text()
    pending = [events[2].entry]
    image = SequenceImage(sequence, CHAIN, ORIGIN, 3, states[2], pending, len(encode_entry(pending[0])))
    assert decode_sequence(sequence) == image
    assert encode_sequence(image) == sequence
    assert list(image.events()) == [events[2]]


def test_the_log_s_own_events_are_named_as_the_page_says() -> None:
    registered = {"chain": CHAIN, "origin": ORIGIN, "genesis": hashing.genesis(ORIGIN, CHAIN).hex()}
    assert text("event-and-chain", "registered") == canonicalize(registered) + b"\n"
    assert text("event-and-chain", "rotation-id").decode() == rotation_id(3, KEY.public_key) + "\n"


def test_keys_follow_from_the_declaration_and_the_payload_of_the_page() -> None:
    declared = SearchFields.of(json.loads(text("search-fields", "declaration")))
    assert text("search-fields", "declaration") == canonicalize(declared.document()) + b"\n"
    keys = declared.keys_of(text("search-fields", "payload"))
    assert "".join(f"{key}\n" for key in keys.values).encode() == text("search-fields", "keys")
    assert encode(keys_fields(keys))[4:-1] == unhexed("search-fields", "stored-keys")


def test_the_receipt_is_that_of_event_1(events: list[Event]) -> None:
    found = parse_receipt(parse_json(text("receipt", "receipt")))
    check_receipt(found)
    assert found == receipt_of(events[1])


def test_the_checkpoint_verifies_and_is_signed_anew_byte_for_byte(states: list[ChainState]) -> None:
    data = text("checkpoint-and-seal", "checkpoint")
    checkpoint, _ = verify_checkpoint(data, [parse_vkey(text("checkpoint-and-seal", "vkey").decode().rstrip())])
    assert checkpoint == Checkpoint(LINE, 3, states[3].root)
    assert format_note(sign_note(format_checkpoint(checkpoint), LINE, [KEY])) == data
    assert text("checkpoint-and-seal", "vkey").decode() == format_vkey(PINNED[0]) + "\n"
    assert unhexed("README", "public-key") == KEY.public_key


def test_the_anchors_are_those_of_the_page(anchors: list[Anchor]) -> None:
    assert [anchor.data for anchor in anchors] == [text("checkpoint-and-seal", f"anchor-{n}") for n in (1, 2)]
    assert anchors[0].digest == unhexed("checkpoint-and-seal", "digest-1") == anchors[1].seal.previous
    assert parse_claim(text("checkpoint-and-seal", "claim-2")) == (anchors[1].checkpoint, anchors[1].seal)


def test_the_seal_has_the_bytes_of_its_table(anchors: list[Anchor]) -> None:
    raw, seal = unhexed("checkpoint-and-seal", "seal-2"), anchors[1].seal
    assert base64.b64decode(anchors[1].data.split()[-1]) == raw
    assert raw[:4] == sha256(LINE.encode() + b"\n" + KIND + KEY.public_key).digest()[:4]
    assert raw[4:20] == seal.number.to_bytes(8, "big") + seal.time.to_bytes(8, "big")
    assert (raw[20:52], len(raw)) == (anchors[0].digest, 4 + 8 + 8 + 32 + 64)
    assert raw[52:] == KEY.sign(text("checkpoint-and-seal", "claim-2"))


def test_the_proof_file_proves_event_1(events: list[Event], anchors: list[Anchor]) -> None:
    data = text("proof-file", "proof")
    assert verify_tlog_proof(data, events[1].hash, PINNED) == anchors[1].checkpoint
    assert parse_tlog_proof(data).extra == leaf(events[1])
    hashes = (events[0].hash, events[2].hash)
    assert format_tlog_proof(TlogProof(1, hashes, anchors[1].data, leaf(events[1]))) == data


def test_the_bundle_verifies_and_is_written_anew_byte_for_byte(events: list[Event], anchors: list[Anchor]) -> None:
    lines = text("bundle", "bundle").splitlines(keepends=True)
    (part,) = verify_bundle(lines, PINNED).parts
    assert (part.events, part.complete, part.checkpoint) == (1, (1, 2), anchors[1].checkpoint)
    keys = (format_vkey(PINNED[0]),)
    assert lines == [
        bundle.header_line(bundle.Header(ORIGIN, CHAIN, anchors[1].data, keys, bundle.SeqRange(1, 2))),
        bundle.gap_line(bundle.Gap(0, 1, (events[0].hash,))),
        bundle.event_line(format_event(events[1])),
        bundle.gap_line(bundle.Gap(2, 3, (events[2].hash,))),
        bundle.end_line(bundle.End(1, None)),
    ]


def test_the_bundle_with_an_erased_event_verifies_and_is_written_anew(
    events: list[Event], anchors: list[Anchor], states: list[ChainState]
) -> None:
    lines = text("bundle", "bundle-v2").splitlines(keepends=True)
    note = text("governance-note", "erasure")
    erasure = verify_order(note, [KEY.public_key], ORIGIN, CHAIN)
    # The order is event 3 of the log, and a third anchor covers it.
    entry = make_entry(
        chain=CHAIN,
        event_id=event_id(erasure),
        event_type=erasure.event_type,
        source_id="eventlog/erase",
        timestamp=erasure.time,
        received_at=erasure.time + 125,
        principal=erasure.by,
        payload=canonicalize({"note": note.decode()}).decode(),
        salt=bytes(range(0x30, 0x40)),
    )
    (order,) = states[3].copy().extend([entry])
    state = states[3].copy()
    state.append(entry.content_hash)
    seal = Seal(3, erasure.time + 60_000, sha256(anchors[1].data).digest())
    anchor = sign_anchor(Checkpoint(LINE, 4, state.root), seal, [KEY])
    erased = decode_event(erased_document(encode_event(events[1])))._replace(erased=Erased(3, erasure.time))
    keys = (format_vkey(PINNED[0]),)
    written = [
        bundle.header_line(bundle.Header(ORIGIN, CHAIN, anchor, keys, bundle.SeqRange(1, 2), version=2)),
        bundle.gap_line(bundle.Gap(0, 1, (events[0].hash,))),
        bundle.erased_line(format_event(erased), 3),
        bundle.gap_line(bundle.Gap(2, 3, (events[2].hash,))),
        bundle.erasure_line(format_event(order)),
        bundle.end_line(bundle.End(1, None)),
    ]
    assert lines == written, b"".join(written).decode()
    governance = parse_governance_vkey(text("governance-note", "vkey").decode().strip())
    report = verify_bundle(lines, PINNED, governance=[governance])
    assert (report.erased, report.parts[0].complete, report.authority) == (1, (1, 2), True)
    vkeys = (format_vkey(PINNED[0]), format_vkey(governance))
    assert bundle_v2.main(text("bundle", "bundle-v2").decode(), *vkeys) == (1, 1)


def test_the_tiles_are_those_of_the_example_log(events: list[Event], states: list[ChainState]) -> None:
    tile, entries = unhexed("tiles", "tile"), unhexed("tiles", "entries")
    assert tile == b"".join(event.hash for event in events)
    assert merkle.root([merkle.node_hash(tile[:32], tile[32:64]), tile[64:]]) == states[3].root
    assert decode_entries(entries) == [leaf(event) for event in events]
    assert encode_entries(map(leaf, events)) == entries


def test_the_paths_of_tiles_are_written_in_the_one_form() -> None:
    for path in text("tiles", "paths").decode().split():
        level, _, place = path.removeprefix("tile/").partition("/")
        assert f"tile/{format_tile(parse_tile(level, place))}" == path


def test_the_cosignature_verifies_and_is_made_anew_byte_for_byte(states: list[ChainState]) -> None:
    note = parse_note(text("cosignature", "cosigned"))
    time = parse_time("2026-11-23T12:36:05Z") // 1000
    assert format_vkey(WITNESS.key) + "\n" == text("cosignature", "vkey").decode()
    assert verify_cosignatures(note, [WITNESS.key]) == [Cosignature(WITNESS.key, time)]
    assert cosigned(text("checkpoint-and-seal", "checkpoint"), time, WITNESS) == text("cosignature", "cosigned")
    assert parse_cosigned(text("cosignature", "message")) == (time, note.text)
    subtree = Subtree(WITNESS.key.name, time, LINE, 0, 3, states[3].root)
    assert format_subtree(subtree) == unhexed("cosignature", "subtree")
    assert format_answer(cosign(note.text, time, [WITNESS])) == text("cosignature", "answer")


def test_the_request_asks_for_it(events: list[Event], states: list[ChainState]) -> None:
    request = parse_request(text("cosignature", "request"))
    assert request == AddCheckpoint(1, (events[1].hash, events[2].hash), text("checkpoint-and-seal", "checkpoint"))
    verify_consistency(1, 3, request.hashes, states[1].root, states[3].root)
    assert parse_size(text("cosignature", "size")) == 3
    assert text("cosignature", "origin-hash").decode() == origin_hash(LINE) + "\n"


def test_the_policy_is_read_and_lacks_a_line() -> None:
    policy = parse_policy(text("policy", "policy"))
    assert ([log.key for log in policy.logs], policy.witnesses[0].key) == (PINNED, WITNESS.key)
    assert text("policy", "lack").decode() == f"{missing(policy, ['acme'])}\n"
    assert missing(policy, ["acme", "other"]) is None


def test_the_restore_note_supersedes_the_second_anchor_alone(anchors: list[Anchor]) -> None:
    data = text("restore-note", "restore")
    restore = verify_restore(data, [KEY.public_key])
    assert restore == Restore(f"{LINE}~2", 3, 1, 2, parse_time("2026-11-24T08:00:00Z"), restore.reason)
    assert [restore.supersedes(a.seal.number, a.checkpoint.size) for a in anchors] == [False, True]
    assert sign_restore(restore, [KEY]) == data
    assert text("restore-note", "vkey").decode() == format_vkey(VerifierKey(f"{LINE}~2", KEY.public_key)) + "\n"


def test_the_strike_off_is_signed_under_the_registry_s_name(events: list[Event]) -> None:
    data, line = text("strike-off-note", "strike-off"), origin_line(ORIGIN, "eventlog.registry")
    struck = verify_strike_off(data, [KEY.public_key])
    assert struck == StrikeOff(line, "ghost", 1, events[1].hash, parse_time("2026-11-24T09:00:00Z"), struck.reason)
    assert sign_strike_off(struck, [KEY]) == data
    assert text("strike-off-note", "vkey").decode() == format_vkey(VerifierKey(line, KEY.public_key)) + "\n"


def test_the_orders_are_signed_anew_byte_for_byte(events: list[Event]) -> None:
    notes = [text("governance-note", name) for name in ("erasure", "hold", "release")]
    erasure, hold, release = (verify_order(note, [KEY.public_key], ORIGIN, CHAIN) for note in notes)
    assert [sign_order(order, [KEY]) for order in (erasure, hold, release)] == notes
    assert isinstance(erasure, Erasure)
    assert erasure.targets == ((1, events[1].hash),)
    assert text("governance-note", "signed") == signed_message(format_order(erasure))
    assert text("governance-note", "event-id").decode() == f"{event_id(erasure)}\n"
    assert isinstance(hold, Hold)
    assert hold.covers(2**40)
    assert isinstance(release, Release)
    assert release.hold == event_id(hold)
    key = VerifierKey(ORIGIN, KEY.public_key, GOVERNANCE)
    assert text("governance-note", "vkey").decode() == f"{format_vkey(key)}\n"
    assert parse_governance_vkey(format_vkey(key)) == key


def test_the_segment_note_joins_the_first_two_events_and_is_signed_anew(states: list[ChainState]) -> None:
    data = text("segment-note", "segment")
    note = verify_segment_note(data, [KEY.public_key], ORIGIN)
    assert (note.chain, note.start, note.end, note.found, note.ends is None) == (CHAIN, 0, 2, 0, False)
    assert note.ends is not None
    assert (note.ends.before, note.ends.after) == (states[0].hash, states[1].hash)
    assert list(note.ends.nodes) == states[1].frontier
    assert sign_segment(note, [KEY]) == data
    assert text("segment-note", "key").decode() == f"{segment_id(note.chain, note.start)}\n"


def test_the_round_note_verifies_and_is_signed_anew_byte_for_byte() -> None:
    data = text("round-note", "round")
    note = verify_round(data, [KEY.public_key], ORIGIN)
    times = parse_time("2026-11-24T03:00:00Z"), parse_time("2026-11-24T03:04:10Z")
    assert (note.mode, note.started, note.finished, note.chains, note.tampered) == ("full", *times, 2, 0)
    assert sign_round(note, [KEY]) == data
    assert text("round-note", "key").decode() == f"{ROUNDS}/{round_key(note)}\n"


def test_the_heads_are_committed_to_and_proven_as_the_page_says() -> None:
    leaves = [json.loads(line) for line in text("heads", "leaves").splitlines()]
    tree = HeadTree(HeadLeaf(chain, number, bytes.fromhex(anchor)) for chain, number, anchor in reversed(leaves))
    assert b"".join(format_head(leaf) + b"\n" for leaf in tree.leaves) == text("heads", "leaves")
    assert text("heads", "root").decode() == f"{tree.root.hex()}\n"
    origin, commitment = parse_commitment(text("heads", "signed"))
    assert (origin, commitment.count, commitment.root) == (ORIGIN, 3, tree.root)
    assert format_commitment(ORIGIN, commitment) == text("heads", "signed")
    assert canonicalize(commitment_payload(ORIGIN, commitment, KEY)) + b"\n" == text("heads", "payload")
    proof = parse_head_proof(parse_json(text("heads", "proof")))
    assert orjson.dumps(head_proof_fields(proof)) + b"\n" == text("heads", "proof")
    assert read_commitment(proof.event.entry)[0] == commitment
    proven = verify_head_proof(proof, ORIGIN, [KEY.public_key], "eventlog.registry")
    assert (proven.anchor.data, proven.commitment, proven.registry.size) == (
        text("checkpoint-and-seal", "anchor-2"),
        commitment,
        2,
    )


def test_the_pack_has_the_claim_of_the_second_anchor_and_is_written_anew_byte_for_byte() -> None:
    data, claim = text("pack", "pack"), text("checkpoint-and-seal", "claim-2")
    found = parse_pack(data)
    assert (found.number, list(found.entries)) == (1, [("acme", "000000000001.claim"), (CHAIN, "000000000002.claim")])
    assert found.entries[CHAIN, "000000000002.claim"] == claim
    assert all(parse_claim(entry) for entry in found.entries.values())
    assert format_pack(1, found.entries) == data


def test_the_standing_note_verifies_and_is_signed_anew_byte_for_byte() -> None:
    data = text("standing-note", "standing")
    standing = verify_standing(data, [KEY.public_key], ORIGIN)
    assert (standing.verdict, standing.chain, standing.total) == ("tampered", CHAIN, 2)
    assert [(finding.kind, finding.seq) for finding in standing.findings] == [
        ("payload_mismatch", 1),
        ("checkpoint_missing", None),
    ]
    assert standing.intact is not None
    assert standing.intact.started == parse_time("2026-11-24T03:00:00Z")
    assert sign_standing(standing, [KEY]) == data
    assert text("standing-note", "key").decode() == f"{STANDINGS}/{standing_key(standing)}\n"


def test_the_queue_message_is_event_1_before_it_had_its_place(events: list[Event]) -> None:
    message = text("queue-message", "message").decode().rstrip("\n")
    draft = parse_message(message)
    assert (draft.entry, draft.id_chosen, draft.time_given) == (events[1].entry, True, True)
    assert format_message(draft) == message
