"""A log held in memory that serves its tiles, for tests of monitors: honest unless a test changes what it holds."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from eventlog.formats import hashing, tiles
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint
from eventlog.formats.event import ChainState, Event
from eventlog.formats.note import format_note, sign_note
from eventlog_client.errors import RefusedError
from tests.support.anchoring import KEY, Key

ORIGIN = "example.com/log"
VKEY = KEY.verifier(ORIGIN)
MISSING = RefusedError(404, "Not Found", "There is nothing here.")


def signed(size: int, root: bytes, line: str = f"{ORIGIN}/main", key: Key = KEY) -> bytes:
    """A signed checkpoint."""
    return format_note(sign_note(format_checkpoint(Checkpoint(line, size, root)), line, [key]))


@dataclass
class MemoryLog:
    """``leaves`` are what is served; ``checkpoint`` is made of them by ``sign``, or None."""

    head: ChainState = field(default_factory=lambda: ChainState(0, hashing.genesis(ORIGIN, "main")))
    leaves: list[bytes] = field(default_factory=list)
    checkpoint: bytes | None = None
    only_full: bool = False

    def grow(self, count: int, flavour: str = "") -> "MemoryLog":
        """Append events and sign."""
        for _ in range(count):
            content = sha256(f"{self.head.size}{flavour}".encode()).digest()
            self.leaves.append(hashing.leaf(self.head.size, self.head.hash, content))
            self.head.append(content)
        self.checkpoint = signed(self.head.size, self.head.root)
        return self

    def tlog(self, chain: str, path: str) -> bytes:
        assert chain == "main"
        if path == "checkpoint":
            if self.checkpoint is None:
                raise MISSING
            return self.checkpoint
        tile = tiles.parse_tile(*path.removeprefix("tile/").split("/", 1))
        found = self.leaves[tile.start : tile.start + tile.width]
        if len(found) < tile.width or (self.only_full and tile.width < tiles.FULL):
            raise MISSING
        return tiles.encode_entries(found)

    def events_by_seq(self, chain: str, start: int, end: int) -> Iterator[Event]:
        raise NotImplementedError
