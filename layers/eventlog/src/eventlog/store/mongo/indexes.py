"""Which indexes there are, declared once: functions ask for them on first use, ``make db-setup`` makes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING, HASHED, IndexModel
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

NOT_ALLOWED = frozenset({13, 8000})
"""Error codes that say that a user may not do this: MongoDB's Unauthorized, and what Atlas's shared tiers answer."""


@dataclass(frozen=True, slots=True)
class Index:
    """Fields in ascending order."""

    fields: tuple[str, ...]
    unique: bool = False

    @property
    def name(self) -> str:
        """The name that MongoDB itself would give it."""
        return "_".join(f"{field}_1" for field in self.fields)

    @property
    def keys(self) -> list[tuple[str, int]]:
        """The fields with their direction, as ``create_index`` takes them."""
        return [(field, ASCENDING) for field in self.fields]

    def order(self, *, routed: bool) -> list[tuple[str, int]] | None:
        """Return what to sort by where its entries are wanted as they stand in it.

        One server gives them so. A router (``routed``) gives those of several shards in no order, unless it is asked
        to sort; where it need not, nothing is sorted: for one row with an array MongoDB would read all others first.
        """
        return self.keys if routed else None


@dataclass(frozen=True, slots=True)
class ShardKey:
    """How a cluster spreads a collection over its shards: by ranges of these fields, or of a hash of the one.

    ``unique``: the key has a unique index, which MongoDB makes of ranges only.
    """

    keys: tuple[tuple[str, int | str], ...]
    unique: bool = False

    @property
    def is_hashed(self) -> bool:
        """Whether it is a hash, which puts names that are alike on any shard."""
        return self.keys[0][1] == HASHED


BY_SEQ = Index(("chain", "seq"), unique=True)
BY_TYPE = Index(("chain", "event_type", "timestamp", "seq"))
EVENTS = (
    BY_SEQ,
    Index(("chain", "timestamp", "seq")),
    BY_TYPE,
    Index(("chain", "source_id", "timestamp", "seq")),
    Index(("chain", "event_type", "source_id", "timestamp", "seq")),
)
SEARCH = (Index(("chain", "keys", "timestamp", "seq")), Index(("chain", "keys_version", "seq")))
"""For searches by field, and for what of a chain is indexed. They are there only where fields are declared: elsewhere
each event would have entries in them for nothing."""
AUDITS = (Index(("chain", "_id")), Index(("chain", "status", "to_seq")), Index(("status", "_id")))
"""For lists of reports; for how far a chain was verified; for audits that are running, which each round looks for."""
CHECKPOINTS = (Index(("chain", "number")), Index(("chain", "size", "number")))
COSIGNATURES = (Index(("chain", "number")),)


EVENTS_SHARDED = ShardKey((("chain", ASCENDING), ("seq", ASCENDING)), unique=True)
SEQUENCES_SHARDED = ShardKey((("_id", HASHED),))
"""A chain's order is decided in one document, on one shard; hashed, many chains meet all shards."""
BODIES_SHARDED = ShardKey((("_id", ASCENDING),))
"""Ids begin with the chain, so a chain's payloads lie side by side, as its events do, and can be placed."""


def ensure(collection: Collection[Any], indexes: Iterable[Index]) -> None:
    """Create what is missing; harmless when all is there.

    A function's own role may not create indexes. Then the operator who made the role has made them (``make db-setup``).
    """
    # One command for all: it costs a round trip a new chain. MongoDB makes all of them or, where one can't be, none.
    try:
        collection.create_indexes([IndexModel(index.keys, unique=index.unique) for index in indexes])
    except OperationFailure as error:
        if error.code not in NOT_ALLOWED:
            raise
