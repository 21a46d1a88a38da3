"""Tiles of the tree and bundles of its entries (C2SP tlog-tiles): their paths and contents.

    tile/<L>/<N>[.p/<W>]            W (256 without the suffix) nodes of level 8 * L from index N * 256 on, 32 bytes each
    tile/entries/<N>[.p/<W>]        the leaves of tile N of level 0, each with its length before it (uint16_be)

``<N>`` is written in elements of three digits, all but the last with an x before them: 1234067 is x001/x234/067.

Specified in docs/formats/tiles.md.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from eventlog.formats.checkpoint import MAX_SIZE
from eventlog.formats.errors import EvidenceError
from eventlog.formats.proof import Node

FULL = 256
ENTRIES = "entries"
_LEVEL = re.compile(r"0|[1-9]|[1-5][0-9]|6[0-3]")
_PLACE = re.compile(r"((?:x[0-9]{3}/){0,6})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of ``width`` nodes, or, if ``level`` is None, a bundle of ``width`` entries."""

    level: int | None
    index: int
    width: int = FULL

    @property
    def start(self) -> int:
        """The index of its first node within the tree's level, or of its first entry."""
        return self.index * FULL


def format_tile(tile: Tile) -> str:
    """Return the part of a tile's path after ``tile/``."""
    level = ENTRIES if tile.level is None else str(tile.level)
    digits = str(tile.index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    elements = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    place = "/".join([f"x{element}" for element in elements[:-1]] + elements[-1:])
    return f"{level}/{place}" + ("" if tile.width == FULL else f".p/{tile.width}")


def parse_tile(level: str, place: str) -> Tile:
    """Read the two parts of a path after ``tile/``: ``<L>`` or ``entries``, and ``<N>[.p/<W>]``.

    Raises:
        EvidenceError: it is written in any other way than ``format_tile`` does.
    """
    if level != ENTRIES and not _LEVEL.fullmatch(level):
        raise EvidenceError("a tile's level is 0..63 without leading zeroes, or the word entries")
    # C2SP tlog-tiles, "Parameters": x001/x234/067 is 1234067. Writing the tile again refuses needless x000 elements and
    # .p/256, which is the full tile.
    match = _PLACE.fullmatch(place)
    if match is None:
        raise EvidenceError("a tile's place is its index as in x001/x234/067, with .p/1 to .p/255 if it is partial")
    upper, last, width = match.groups()
    index = int(upper.replace("x", "").replace("/", "") + last)
    tile = Tile(None if level == ENTRIES else int(level), index, FULL if width is None else int(width))
    if index > MAX_SIZE or tile.width > FULL or format_tile(tile) != f"{level}/{place}":
        raise EvidenceError("a tile's index has no needless elements and a partial tile is 1 to 255 wide")
    return tile


def tile_nodes(tile: Tile) -> list[Node]:
    """Return the tree's nodes in a tile, from left to right; for a bundle of entries, those of its leaves."""
    level = 8 * (tile.level or 0)
    return [Node(level, index) for index in range(tile.start, tile.start + tile.width)]


def exists(tile: Tile, size: int) -> bool:
    """Return whether the tree of ``size`` has the whole tile.

    A partial tile that the tree has outgrown still exists: it is what the tree had at a smaller size.
    """
    return tile.start + tile.width <= size >> 8 * (tile.level or 0)


def encode_entries(entries: Iterable[bytes]) -> bytes:
    """Write a bundle of entries, each shorter than 64 KiB."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_entries(data: bytes) -> list[bytes]:
    """Read a bundle of entries.

    Raises:
        EvidenceError: it ends within an entry, or there are more than 256.
    """
    # Each entry is its length as uint16_be and that many bytes. A length that ends within its two bytes is caught too,
    # since ``end`` is then beyond the data.
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            raise EvidenceError("the bundle of entries ends within an entry")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) > FULL:
        raise EvidenceError(f"a bundle has at most {FULL} entries")
    return entries
