"""Packs that were read lately, in memory."""

import threading
import time
from collections import OrderedDict

from eventlog.formats.pack import Pack

_KEPT = 64
_FRESH_SECONDS = 60.0
"""How long a pack is kept: it may have been altered after that."""


class PackCache:
    """The packs that were read or made last. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._packs: OrderedDict[int, tuple[Pack, float]] = OrderedDict()

    def get(self, number: int) -> Pack | None:
        """Return a pack; None if it is not here, or has been for too long."""
        with self._lock:
            pack, since = self._packs.get(number, (None, 0.0))
        return pack if time.monotonic() - since < _FRESH_SECONDS else None

    def put(self, pack: Pack) -> None:
        """Keep a pack; the one that was put first makes room for it."""
        with self._lock:
            self._packs.pop(pack.number, None)
            self._packs[pack.number] = pack, time.monotonic()
            while len(self._packs) > _KEPT:
                self._packs.popitem(last=False)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._packs.clear()
