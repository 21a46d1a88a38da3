"""The commitment to the heads of all chains, and the proof of one of them, by itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from eventlog.formats import merkle
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Entry
from eventlog.formats.hashing import leaf_hash
from eventlog.formats.head_proof import parse_head_proof, verify_head_proof
from eventlog.formats.heads import (
    Commitment,
    HeadLeaf,
    HeadTree,
    format_commitment,
    format_head,
    parse_commitment,
    verify_commitment,
)
from eventlog.formats.members import parse_json
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.formats.proof import verify_inclusion
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.heads import UNKNOWN, KnownHead, KnownHeads, encode_heads, read_heads
from eventlog_client.cli import main
from tests.support.each import each
from tests.support.witnesses import cosigned, policy
from tests.unit.test_formats_pages import KEY, ORIGIN, WITNESS, text

REGISTRY = "eventlog.registry"
PROOF = json.loads(text("heads", "proof"))
ENTRY = parse_head_proof(parse_json(text("heads", "proof"))).event.entry


def leaves(count: int) -> list[HeadLeaf]:
    return [HeadLeaf(f"chain-{number:03}", number, bytes([number]) * 32) for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7, 8, 9, 33])
def test_each_head_is_proven_under_the_root_that_one_leaf_after_the_other_gives(count: int) -> None:
    tree, frontier = HeadTree(reversed(leaves(count))), list[bytes]()
    hashes = [leaf_hash(format_head(leaf)) for leaf in leaves(count)]
    for size, value in enumerate(hashes):
        merkle.append_leaf(frontier, size, value)
    assert tree.root == merkle.root(frontier)
    for index, leaf in enumerate(leaves(count)):
        assert tree.index(leaf.chain) == index
        verify_inclusion(hashes[index], index, count, tree.path(index), tree.root)
    assert tree.index("chain") is None


def test_a_chain_has_one_head() -> None:
    with pytest.raises(EvidenceError, match="two heads"):
        HeadTree([*leaves(2), leaves(1)[0]._replace(number=9)])


def changed(**members: Any) -> Entry:
    payload = json.loads(ENTRY.payload) | members
    return ENTRY._replace(payload=json.dumps({name: value for name, value in payload.items() if value is not None}))


REFUSED: dict[str, tuple[Entry, str]] = {
    "another count": (changed(count=4), "no key"),
    "another root": (changed(root="0" * 64), "no key"),
    "another time": (changed(time=1), "another id"),
    "copied to another id": (ENTRY._replace(event_id="eventlog.anchored-000000000000001"), "another id"),
    "of another type": (ENTRY._replace(event_type="eventlog.x"), "members"),
    "a member more": (changed(x=1), "members"),
    "a member fewer": (changed(signature=None), "members"),
    "no signature": (changed(signature="00"), "64 bytes"),
    "no JSON object": (ENTRY._replace(payload="[]"), "must be a JSON object"),
}


@each("entry", REFUSED)
def test_a_commitment_that_the_log_has_not_made_is_refused(entry: str) -> None:
    made, why = REFUSED[entry]
    with pytest.raises(EvidenceError, match=why):
        verify_commitment(made, ORIGIN, [KEY.public_key])


def test_a_commitment_is_of_one_log_and_key() -> None:
    assert verify_commitment(ENTRY, ORIGIN, [bytes(range(32)), KEY.public_key]).count == 3
    for origin, keys in (("log.example/other", [KEY.public_key]), (ORIGIN, [])):
        with pytest.raises(EvidenceError, match="no key"):
            verify_commitment(ENTRY, origin, keys)


@pytest.mark.parametrize("data", [b"", b"eventlog/heads/v1\n", b"time", text("heads", "signed") + b"\n"])
def test_another_text_is_no_commitment(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        parse_commitment(data)
    assert format_commitment(*parse_commitment(text("heads", "signed"))) == text("heads", "signed")
    assert Commitment(time=7, count=0, root=bytes(32)).event_id == "eventlog.anchored-000000000000007"


Edit = Callable[[dict[str, Any]], object]
BROKEN: dict[str, tuple[Edit, str]] = {
    "another chain": (lambda p: p.update(chain="acme"), "another log or chain"),
    "another number": (lambda p: p.update(number=3), "the anchor is number 2"),
    "an older anchor": (lambda p: p.update(anchor=text("checkpoint-and-seal", "anchor-1").decode(), number=1), "lead"),
    "another place": (lambda p: p.update(index=0), "inclusion proof"),
    "another count": (lambda p: p.update(count=4), "to 3 heads"),
    "a hash fewer": (lambda p: p["hashes"].pop(), "too few"),
    "a hash changed": (lambda p: p["hashes"].__setitem__(0, "0" * 64), "does not lead"),
    "too many hashes": (lambda p: p.update(hashes=["0" * 64] * 65), "at most 64"),
    "a member more": (lambda p: p.update(x=1), "no other"),
    "a member more of the registry": (lambda p: p["registry"].update(x=1), "no other"),
    "no registry": (lambda p: p.update(registry=[]), "must be a JSON object"),
    "the event's payload": (lambda p: p["event"]["payload"].update(count=4), "payload_hash"),
    "another event": (lambda p: p["event"].update(seq=0), "is not the hash of"),
    "another size": (lambda p: p["registry"].update(tree_size=3), "of size 2"),
    "the registry's path": (lambda p: p["registry"].update(hashes=[]), "too few"),
    "the registry's signature": (
        lambda p: p["registry"].update(checkpoint=p["registry"]["checkpoint"].replace("hJOg", "hJOh")),
        "signed|signature|key",
    ),
    "another chain's checkpoint": (
        lambda p: p["registry"].update(checkpoint=text("checkpoint-and-seal", "checkpoint").decode()),
        "another log or chain",
    ),
}


@each("name", BROKEN)
def test_a_proof_that_is_changed_anywhere_does_not_verify(name: str) -> None:
    edit, why = BROKEN[name]
    shown = json.loads(json.dumps(PROOF))
    edit(shown)
    with pytest.raises(EvidenceError, match=why):
        verify_head_proof(parse_head_proof(shown), ORIGIN, [KEY.public_key], REGISTRY)


ODD_VALUES: list[Any] = [None, True, -1, 1.5, 2**53, "", "x", "é", [], [1], ["x"], {}, {"x": 1}]


def test_members_that_are_something_else_are_refused_as_no_evidence() -> None:
    """Each member of the proof, of its event and of what it has of the registry; the page is held to the same."""
    odd: list[Any] = [PROOF | {name: value} for name in PROOF for value in ODD_VALUES]
    for inner in ("registry", "event"):
        odd += [PROOF | {inner: PROOF[inner] | {name: value}} for name in PROOF[inner] for value in ODD_VALUES]
    for shown in (*odd, *ODD_VALUES):
        with pytest.raises(EvidenceError):
            verify_head_proof(parse_head_proof(shown), ORIGIN, [KEY.public_key], REGISTRY)


@pytest.mark.parametrize(("origin", "registry"), [("log.example/other", REGISTRY), (ORIGIN, "main")])
def test_a_proof_is_of_one_log_and_its_registry(origin: str, registry: str) -> None:
    verify_head_proof(parse_head_proof(PROOF), ORIGIN, [KEY.public_key], REGISTRY)
    with pytest.raises(EvidenceError):
        verify_head_proof(parse_head_proof(PROOF), origin, [KEY.public_key], registry)


KNOWN = KnownHeads(
    event_id="b",
    before="a",
    key=b"k" * 32,
    read_to=7,
    heads={"b": KnownHead(2, b"2" * 32, b"s" * 32), "a": KnownHead(1, b"1" * 32)},
    others={"ghost"},
)


def test_what_is_kept_of_all_heads_is_read_back() -> None:
    assert read_heads(codec.decode(encode_heads(KNOWN, {"voucher": b"v"}))) == KNOWN
    assert read_heads(codec.decode(encode_heads(KnownHeads(), {}))) == KnownHeads()
    assert KNOWN.heads["a"].sequence == UNKNOWN


@pytest.mark.parametrize(
    "fields",
    [{"chains": "a"}, {"anchors": b"1" * 63}, {"sequences": b""}, {"numbers": [1, 2]}, {"others": [7]}, {"key": b"k"}],
    ids=lambda fields: next(iter(fields)),
)
def test_columns_that_do_not_fit_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(NotOursError):
        read_heads(codec.decode(encode_heads(KNOWN, {})) | fields)


def test_with_a_policy_the_registry_s_checkpoint_must_be_cosigned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One cosignature covers the heads of all chains."""
    (tmp_path / "policy").write_bytes(policy("orgs", WITNESS))
    shown = json.loads(json.dumps(PROOF))
    key = format_vkey(VerifierKey(f"{ORIGIN}/main", KEY.public_key))
    asked = ["verify-head", str(tmp_path / "proof"), "--key", key, "--policy", str(tmp_path / "policy")]
    (tmp_path / "proof").write_bytes(orjson.dumps(shown))
    assert main(asked) == 3
    assert "quorum orgs: 0 of 1" in capsys.readouterr().err
    note = shown["registry"]["checkpoint"].encode()
    shown["registry"]["checkpoint"] = cosigned(note, 1_764_000_000, WITNESS).decode()
    (tmp_path / "proof").write_bytes(orjson.dumps(shown))
    assert main(asked) == 0
    assert "Witnessed: by w0" in capsys.readouterr().out
    assert main([*asked, "--max-witness-age", "1"]) == 3
