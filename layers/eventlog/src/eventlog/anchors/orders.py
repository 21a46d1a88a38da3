"""Orders (erasures, holds, releases) where they are kept for good: beside the anchors, so that they outlive a database.

_governance/<chain>/<request>.claim        the text that is going to be signed, as it was asked for
_governance/<chain>/<request>.approved     the same, once it was approved, where somebody has to
_governance/<chain>/<event_id>.note        the signed note

Each is created once. A text is claimed before it is signed, as an anchor's is: of one request there is one order, in
whichever process, and however often it is asked for.
"""

import os
from collections.abc import Callable, Iterator, Sequence

from eventlog.anchors.store import AnchorStore
from eventlog.formats.canonical import canonicalize
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Entry, make_entry
from eventlog.formats.governance import AnyOrder, Erasure, event_id, format_order, parse_order
from eventlog.formats.governance_note import sign_order, verify_order
from eventlog.formats.members import members, parse_json, text
from eventlog.formats.note import Signer
from eventlog.store.errors import CorruptionError
from eventlog.store.interface import Draft, EventAppender, Placed

GOVERNANCE = "_governance"
"""The folder, beside the chains', in which orders are kept. No chain can have this name."""
SOURCE = "eventlog/erase"
"""``source_id`` of the events of orders."""


class OrderNotes:
    """Keeps and reads the orders of one log; ``anchors`` is the store in ``GOVERNANCE``.

    Every method may raise AnchorsUnavailableError, and CorruptionError where something else stands in an order's place.
    """

    def __init__(self, anchors: AnchorStore, origin: str, public_keys: Callable[[], Sequence[bytes]]) -> None:
        self._anchors = anchors
        self._origin = origin
        self._public_keys = public_keys

    def claim(self, order: AnyOrder) -> AnyOrder:
        """Claim an order's text for its request; return the one that has it, which may be another's."""
        return self._create(order, "claim")

    def approve(self, order: Erasure) -> AnyOrder:
        """Keep an order's text with who approved it; return the one that is kept, which may be another's."""
        return self._create(order, "approved")

    def claimed(self, chain: str, request: str) -> AnyOrder | None:
        """Read what a request has claimed; None if there is no such request."""
        return self._read(chain, f"{request}.claim")

    def approved(self, chain: str, request: str) -> AnyOrder | None:
        """Read what was approved of a request; None if nothing was."""
        return self._read(chain, f"{request}.approved")

    def keep(self, order: AnyOrder, signers: Sequence[Signer]) -> bytes:
        """Sign an order and keep the note for good; return the one that is kept."""
        key, note = note_key(order), sign_order(order, signers)
        if self._anchors.create(order.chain, key, note):
            return note
        # It is there already. A key that was changed since signs the same text in another way: the first one stands.
        kept = self._anchors.read(order.chain, key) or b""
        try:
            if verify_order(kept, self._public_keys(), self._origin, order.chain) == order:
                return kept
        except EvidenceError as error:
            raise CorruptionError(f"the note {key} of chain {order.chain}: {error}") from error
        raise CorruptionError(f"the note {key} of chain {order.chain} is another order's")

    def chains(self) -> Iterator[str]:
        """Iterate over the chains that have orders."""
        return self._anchors.chains()

    def requests(self, chain: str, ending: str) -> Iterator[str]:
        """Iterate over the requests of which there is a claim, or an approval."""
        for key in self._anchors.keys(chain):
            request, _, kind = key.partition(".")
            if kind == ending:
                yield request

    def notes(self, chain: str) -> Iterator[tuple[AnyOrder, bytes]]:
        """Iterate over the signed orders of a chain that verify, by when they were given."""
        found: list[tuple[AnyOrder, bytes]] = []
        for key in self._anchors.keys(chain):
            if not key.endswith(".note"):
                continue
            data = self._anchors.read(chain, key) or b""
            try:
                order = verify_order(data, self._public_keys(), self._origin, chain)
            except EvidenceError:
                continue
            if key == note_key(order):
                found.append((order, data))
        yield from sorted(found, key=lambda each: (each[0].time, note_key(each[0])))

    def _create(self, order: AnyOrder, ending: str) -> AnyOrder:
        key = f"{order.request}.{ending}"
        if self._anchors.create(order.chain, key, format_order(order).encode()):
            return order
        return self._read(order.chain, key) or order

    def _read(self, chain: str, key: str) -> AnyOrder | None:
        data = self._anchors.read(chain, key)
        if data is None:
            return None
        try:
            order = parse_order(data.decode())
        except (EvidenceError, UnicodeDecodeError) as error:
            raise CorruptionError(f"{key} of chain {chain} is no order: {error}") from error
        if (order.origin, order.chain) != (self._origin, chain) or not key.startswith(f"{order.request}."):
            raise CorruptionError(f"{key} of chain {chain} is an order of another chain or request")
        return order


def note_key(order: AnyOrder) -> str:
    """Return the key that a signed order is kept under."""
    return f"{event_id(order)}.note"


def append_order(log: EventAppender, order: AnyOrder, note: bytes, now: int) -> Placed:
    """Append the event that brings a signed order into its chain; if it is there already, nothing changes.

    Raises:
        StoreError: it is not known to be stored.
    """
    entry = make_entry(
        chain=order.chain,
        event_id=event_id(order),
        event_type=order.event_type,
        source_id=SOURCE,
        timestamp=order.time,
        received_at=now,
        principal=order.by,
        payload=canonicalize({"note": note.decode()}).decode(),
        salt=os.urandom(16),
    )
    return log.append(order.chain, [Draft(entry, id_chosen=True, is_same=_is_same)])[0]


def read_order(entry: Entry, public_keys: Sequence[bytes], origin: str) -> AnyOrder:
    """Read the order that an event brings into its chain.

    Raises:
        EvidenceError: it brings none, or one that is not signed by a governance key that is known here.
    """
    fields = members(parse_json(entry.payload.encode()), "the payload")
    order = verify_order(text(fields, "note").encode(), public_keys, origin, entry.chain)
    if (entry.event_type, entry.event_id) != (order.event_type, event_id(order)):
        raise EvidenceError("the event brings another order than its id and type say")
    return order


def _is_same(entry: Entry, stored: Entry) -> bool:
    """Whether a stored event brings the same order: its id says so. The note may be signed by an earlier key."""
    return (entry.event_type, entry.source_id, entry.timestamp) == (
        stored.event_type,
        stored.source_id,
        stored.timestamp,
    )
