"""What the verifier comes across of erasures, for the audit to judge: only that knows who may have ordered them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_PAIR = struct.Struct(">Q32s")


@dataclass(slots=True)
class Seen:
    """Erased events, and events that order erasures, by seq and leaf hash: 40 bytes each, one after the other.

    ``left``: how many of the erased ones have still a payload that is stored apart.
    """

    erased: bytearray = field(default_factory=bytearray)
    erasures: bytearray = field(default_factory=bytearray)
    left: int = 0

    def add(self, seq: int, leaf: bytes, *, erased: bool, orders: bool) -> None:
        """Take note of an event that is erased, or that orders erasures, or both, or neither."""
        if erased:
            self.erased += _PAIR.pack(seq, leaf)
        if orders:
            self.erasures += _PAIR.pack(seq, leaf)


def pairs(data: bytes | bytearray) -> Iterator[tuple[int, bytes]]:
    """Read (seq, leaf hash) of each."""
    return _PAIR.iter_unpack(data)


def count(data: bytes | bytearray) -> int:
    """Count them."""
    return len(data) // _PAIR.size
