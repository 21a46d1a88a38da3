r"""Packs: what one round of audits keeps outside the database of many chains, in one object.

    eventlog/pack/v1
    number <number>
    entries <how many>
    <empty line>
    <chain> <key> <bytes>
    <data, so many bytes>
    ...

An entry is what would else be an object of its own: an anchor or its claim (``formats/anchor.py``), under a chain and
a key. ``number`` counts the packs of a log from 1. Lines end with "\n", and so do the data, as anchors and claims do.
Entries are sorted by chain and key.

A pack is not signed. Its anchors are; its claims are no more to be believed than claims that stand alone.

Specified in docs/formats/pack.md.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from eventlog.formats.errors import EvidenceError

MAX_PACK = 1 << 20
"""Bytes of a pack at most."""
MAX_NUMBER = 10**12 - 1
_HEAD = re.compile(rb"eventlog/pack/v1\nnumber ([1-9][0-9]{0,11})\nentries ([1-9][0-9]{0,4})\n\n")
_ENTRY = re.compile(
    rb"([a-z0-9][a-z0-9._-]{0,80}) ([0-9]{12}(?:\.note|(?:-[1-9][0-9]{0,11})?\.claim)) (0|[1-9][0-9]{0,6})\n"
)

ObjectPlace = tuple[str, str]
"""A chain and a key: where an object would be, if it were one of its own."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack that was read: its number, and the data of its entries by their places."""

    number: int
    entries: Mapping[ObjectPlace, bytes] = field(default_factory=dict)


def format_pack(number: int, entries: Mapping[ObjectPlace, bytes]) -> bytes:
    """Write a pack.

    Raises:
        ValueError: it would not be read again: it has no entries, or is too long, or a name or data can't be in a pack.
    """
    parts = [f"eventlog/pack/v1\nnumber {number}\nentries {len(entries)}\n\n".encode()]
    for (chain, key), data in sorted(entries.items()):
        parts += [f"{chain} {key} {len(data)}\n".encode(), data]
    written = b"".join(parts)
    try:
        parse_pack(written)
    except EvidenceError as error:
        raise ValueError(f"pack {number} can't be written: {error}") from error
    return written


def parse_pack(data: bytes) -> Pack:
    """Read a pack; only the form that ``format_pack`` writes is accepted.

    Raises:
        EvidenceError: it is written in any other way.
    """
    head = _HEAD.match(data)
    if head is None or len(data) > MAX_PACK:
        raise EvidenceError("not the text of a pack")
    found = list(_entries(data, head.end()))
    places = [place for place, _ in found]
    if len(found) != int(head[2]) or places != sorted(set(places)):
        raise EvidenceError("a pack's entries are counted, sorted by chain and key, and each is there once")
    return Pack(int(head[1]), dict(found))


def _entries(data: bytes, at: int) -> Iterator[tuple[ObjectPlace, bytes]]:
    """Iterate over the entries from an offset to the end; lengths are checked, as the next entry begins behind one."""
    while at < len(data):
        line = _ENTRY.match(data, at)
        if line is None:
            raise EvidenceError("an entry of a pack begins with chain, key and length")
        at = line.end() + int(line[3])
        content = data[line.end() : at]
        if len(content) != int(line[3]):
            raise EvidenceError("an entry of a pack is cut")
        yield (line[1].decode(), line[2].decode()), content
