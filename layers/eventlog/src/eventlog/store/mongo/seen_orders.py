"""Which order of a chain names which event, as far as this process has read: so no page reads all orders again.

It is a hint. Whoever uses it reads that order again and looks whether it names the event; if not, all are read anew.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock

MOST = 1 << 18
"""Events that are kept in a process, all chains together, with which order names them: some 30 MB."""


@dataclass(slots=True)
class _Chain:
    upto: int = -1
    by: dict[int, int] = field(default_factory=dict)


class SeenOrders:
    """The orders of one database's chains that were read, by the seqs of the events that they name."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._chains: dict[str, _Chain] = {}
        self._lock = Lock()

    def upto(self, chain: str) -> int:
        """Return up to which seq orders were seen, -1 for none."""
        found = self._chains.get(chain)
        return -1 if found is None else found.upto

    def naming(self, chain: str, seqs: Iterable[int]) -> set[int]:
        """Return the seqs of the orders that name any of these events: of each the first one that was seen."""
        found = self._chains.get(chain)
        return set() if found is None else {found.by[seq] for seq in seqs if seq in found.by}

    def add(self, chain: str, orders: Iterable[tuple[int, list[int]]]) -> None:
        """Keep orders that were read, each by its seq, with the seqs that it names; all that there are after ``upto``.

        Those that there is no room for are read again each time.
        """
        with self._lock:
            known = self._chains.setdefault(chain, _Chain())
            left = self._most - sum(len(each.by) for each in self._chains.values())
            for order, named in _fitting(orders, left):
                for seq in named:
                    known.by[seq] = min(order, known.by.get(seq, order))
                known.upto = max(known.upto, order)

    def forget(self, chain: str) -> None:
        """Forget a chain: what was seen of it is not what it has now."""
        with self._lock:
            self._chains.pop(chain, None)


def _fitting(orders: Iterable[tuple[int, list[int]]], left: int) -> Iterator[tuple[int, list[int]]]:
    """Yield orders by their seqs, as long as there is room for what they name."""
    for order, named in sorted(orders):
        left -= len(named)
        if left < 0:
            return
        yield order, named
