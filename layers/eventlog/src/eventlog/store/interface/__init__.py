"""What the rooms may rely on: the contract of the store, one small Protocol for each need. ``mongo/`` keeps it.

- ``events``: appending events and reading them by page, id and chain. Nearly every room needs these names, so they can
  be imported from here.
- ``trees``: roots, nodes and proofs of a chain's Merkle tree.
- ``anchor_copies``: the database's copies of anchors.
- ``evidence``: a tree, its events and the anchor copy that covers them, read together.
- ``audits``: what an audit reads, and where its reports and leases are kept.
- ``database``: how a database is set up, and rows that belong to no chain.
- ``counts``: how many events there are, for statistics.
- ``changes``: hints that a chain has grown, for streams.
"""

from eventlog.store.interface.events import (
    PAGE_BYTES,
    Chain,
    Draft,
    EventAppender,
    EventReader,
    EventStore,
    Order,
    Page,
    Placed,
    Position,
    Query,
    UnreadableChain,
)

__all__ = [
    "PAGE_BYTES",
    "Chain",
    "Draft",
    "EventAppender",
    "EventReader",
    "EventStore",
    "Order",
    "Page",
    "Placed",
    "Position",
    "Query",
    "UnreadableChain",
]
