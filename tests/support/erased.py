"""Orders to erase and to hold, and events as they are stored once they are erased."""

from typing import Any
from uuid import UUID

from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import ChainState, Event, make_entry
from eventlog.formats.governance import AnyOrder, Erasure, Hold, Release, event_id
from eventlog.formats.governance_note import sign_order
from eventlog.formats.note import Signer
from eventlog.stored import codec
from eventlog.stored.erased import erased_document
from tests.support.anchoring import Key

GOVERNANCE = Key(9)
TIME = 1_700_000_000_000
Document = dict[str, Any]


def asked(number: int, origin: str, chain: str) -> dict[str, Any]:
    """What all orders have."""
    request = str(UUID(int=number))
    return {
        "origin": origin,
        "chain": chain,
        "request": request,
        "time": TIME + number,
        "by": "dpo",
        "reason": f"request {number}",
    }


def erasure(
    *targets: tuple[int, bytes], number: int = 1, origin: str = "example.com/log", chain: str = "main"
) -> Erasure:
    """An order to erase events, given by seq and leaf hash."""
    return Erasure(**asked(number, origin, chain), basis="gdpr-art-17", targets=tuple(sorted(targets)))


def hold(
    span: tuple[int, int] | None,
    until: int | None = None,
    number: int = 1,
    origin: str = "example.com/log",
    chain: str = "main",
) -> Hold:
    """An order to hold events."""
    return Hold(**asked(number, origin, chain), span=span, until=until)


def release(held: Hold, number: int = 1) -> Release:
    """An order to release a hold."""
    return Release(**asked(number, held.origin, held.chain), hold=event_id(held))


def order_payload(order: AnyOrder, signer: Signer = GOVERNANCE) -> Document:
    """The payload of the event that brings an order into its chain."""
    return {"note": sign_order(order, [signer]).decode()}


class GrowingChain:
    """The stored documents of an honest chain, to which orders are added as they are made."""

    def __init__(self, genesis: bytes) -> None:
        self._state = ChainState(0, genesis)
        self.events: list[Event] = []

    def add(self, event_type: str = "t", name: str | None = None, **payload: Any) -> Event:
        """Append an event."""
        entry = make_entry(
            chain="main",
            event_id=name or f"e{len(self.events)}",
            event_type=event_type,
            source_id="s",
            timestamp=TIME,
            received_at=TIME,
            principal="p",
            payload=canonicalize(payload).decode(),
            salt=len(self.events).to_bytes(16, "big"),
        )
        self.events += self._state.extend([entry])
        return self.events[-1]

    def order(self, order: AnyOrder, signer: Signer = GOVERNANCE) -> Event:
        """Append the event that brings an order into the chain."""
        return self.add(order.event_type, event_id(order), **order_payload(order, signer))

    def erase(self, *seqs: int, number: int = 1) -> Event:
        """Append an order to erase the events at these seqs."""
        return self.order(erasure(*((seq, self.events[seq].hash) for seq in seqs), number=number))

    @property
    def documents(self) -> list[Document]:
        """All of them, as they are stored; each time new."""
        return [codec.decode(codec.encode_event(event)) for event in self.events]


def blank(document: Document) -> None:
    """Take payload, salt and keys out of a stored event, as an erasure does."""
    changed = codec.decode(erased_document(codec.encode(document)))
    document.clear()
    document.update(changed)
