"""Others can read what we write: checkpoints and anchors, tiles and entries (aics-tlog where it is installed)."""

import base64
import importlib
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from eventlog.formats import merkle
from eventlog.formats.anchor import Seal
from eventlog.formats.checkpoint import Checkpoint
from eventlog.formats.hashing import leaf_hash
from eventlog.formats.note import format_vkey
from eventlog.formats.proof import Node
from eventlog.formats.tiles import Tile, decode_entries, encode_entries, exists, format_tile, tile_nodes
from tests.support.each import each
from tests.support.evidence import KEY, LINE, START, Key, anchored, signed
from tests.support.oracles import HAS_AICS

CHECKPOINT = Checkpoint(LINE, 20852163, bytes(range(32)))
NEW = Key("new")

Reader = Callable[[bytes, str], tuple[str, int, bytes]]
"""From a signed checkpoint and the vkey that must have signed it to its origin, size and root."""


def read_by_hand(data: bytes, vkey: str) -> tuple[str, int, bytes]:
    """C2SP signed-note and tlog-checkpoint in ten lines, with nothing of ours."""
    name, key_id, material = vkey.split("+", 2)
    text, _, lines = data.decode().rpartition("\n\n")
    public = base64.b64decode(material)
    assert sha256(name.encode() + b"\n" + public).hexdigest()[:8] == key_id
    blobs = [base64.b64decode(line.split(" ")[2]) for line in lines.splitlines() if line.split(" ")[1] == name]
    (signature,) = [blob[4:] for blob in blobs if blob[:4].hex() == key_id]
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature, f"{text}\n".encode())
    origin, size, root = text.split("\n")
    return origin, int(size), base64.b64decode(root)


def read_by_aics(data: bytes, vkey: str) -> tuple[str, int, bytes]:
    tlog: Any = importlib.import_module("aics_tlog")
    result = tlog.verify_checkpoint(tlog.parse_note(data), tlog.parse_vkey(vkey), expected_origin=LINE)
    assert result.ok, result.error
    return result.origin, result.size, result.root


READERS: list[Reader] = [read_by_hand, *([read_by_aics] if HAS_AICS else [])]
NOTES = {
    "checkpoint": signed(CHECKPOINT),
    "anchor": anchored(CHECKPOINT, seal=Seal(7, START, bytes(32))),
    "anchor of two keys": anchored(CHECKPOINT, KEY, NEW, seal=Seal(7, START, bytes(32))),
    "anchor sealed by the other key": anchored(CHECKPOINT, NEW, KEY, seal=Seal(7, START, bytes(32))),
}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("kind", NOTES)
def test_others_accept_our_checkpoints_whatever_else_signs_them(read: Reader, kind: str) -> None:
    vkey = format_vkey(KEY.named())
    assert read(NOTES[kind], vkey) == (CHECKPOINT.origin, CHECKPOINT.size, CHECKPOINT.root)


Tiles = Callable[[list[bytes]], dict[str, bytes]]
"""From entries to every resource of tlog-tiles but the checkpoint, by path."""


def tree_hash(hashes: list[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]


def tiles_by_definition(entries: list[bytes]) -> dict[str, bytes]:
    """C2SP tlog-tiles: level by level, each hash over 256 of the level below. Indexes stay below 1000 here."""
    found = row("entries", [len(entry).to_bytes(2, "big") + entry for entry in entries])
    hashes, level = [sha256(b"\x00" + entry).digest() for entry in entries], 0
    while hashes:
        found |= row(str(level), hashes)
        hashes = [tree_hash(hashes[at - 256 : at]) for at in range(256, len(hashes) + 1, 256)]
        level += 1
    return found


def row(level: str, parts: list[bytes]) -> dict[str, bytes]:
    """Resources of 256 parts, the last one of what is left."""
    found: dict[str, bytes] = {}
    for start in range(0, len(parts), 256):
        part = parts[start : start + 256]
        suffix = "" if len(part) == 256 else f".p/{len(part)}"
        found[f"tile/{level}/{start // 256:03}{suffix}"] = b"".join(part)
    return found


def tiles_by_aics(entries: list[bytes]) -> dict[str, bytes]:
    found: dict[str, bytes] = importlib.import_module("aics_tlog.tiles").materialise_tiles(entries)
    return found


def tiles_by_us(entries: list[bytes]) -> dict[str, bytes]:
    """Each tile once, as wide as the tree has it."""
    size, nodes, frontier = len(entries), dict[Node, bytes](), list[bytes]()
    for index, entry in enumerate(entries):
        nodes[Node(0, index)] = leaf_hash(entry)
        for height, node in enumerate(merkle.append_leaf(frontier, index, leaf_hash(entry)), 1):
            nodes[Node(height, index >> height)] = node
    found: dict[str, bytes] = {}
    for level in (None, 0, 1, 2):
        for index in range(size // 256 + 1):
            widths = [width for width in range(1, 257) if exists(Tile(level, index, width), size)]
            if widths:
                tile = Tile(level, index, widths[-1])
                contents = b"".join(nodes[node] for node in tile_nodes(tile))
                if level is None:
                    contents = encode_entries(entries[tile.start : tile.start + tile.width])
                    assert decode_entries(contents) == entries[tile.start : tile.start + tile.width]
                found[f"tile/{format_tile(tile)}"] = contents
    return found


@pytest.mark.parametrize("others", [tiles_by_definition, *([tiles_by_aics] if HAS_AICS else [])])
@each("size", [0, 1, 2, 255, 256, 257, 600, 65_536, 66_000])
def test_tiles_and_entries_are_those_of_the_other_implementation(others: Tiles, size: int) -> None:
    entries = [b"entry %d" % number for number in range(size)]
    assert tiles_by_us(entries) == others(entries)
