"""The event store on MongoDB (6.0 or newer, a replica set or a sharded cluster)."""

from collections.abc import Sequence
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConfigurationError

from eventlog.formats.event import Event
from eventlog.formats.names import CHAIN_PATTERN
from eventlog.store.errors import StoreUnavailableError, UnusableURIError
from eventlog.store.interface import Chain, Draft, Page, Placed, Query, UnreadableChain
from eventlog.store.mongo import indexes
from eventlog.store.mongo.append import append
from eventlog.store.mongo.chain_filter import among
from eventlog.store.mongo.driver_errors import answered, mapped
from eventlog.store.mongo.last_pushes import LastPushes
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.pages import read_page, read_texts
from eventlog.store.mongo.quotas import open_chain
from eventlog.store.mongo.settle import Settler
from eventlog.stored.bodies import APART_FROM, put_apart
from eventlog.stored.errors import NotOursError
from eventlog.stored.fields import decode_roughly
from eventlog.stored.sequences import decode_sequence

_CHAIN_NAME = CHAIN_PATTERN.removesuffix("$") + r"\z"
"""For MongoDB, whose ``$`` also matches before a line break at the end."""


def connect(uri: str, pool_size: int = 100) -> MongoClient[dict[str, Any]]:
    """Make a client as this store needs it, whatever the URI says. A process makes one and keeps it for all requests.

    These limits are for one try of one operation. What a request of the API waits for in all, ``answered`` limits.

    Raises:
        UnusableURIError: no client can be made of the URI.
        StoreUnavailableError: DNS doesn't say which servers are meant; the URI may be right.
    """
    if not uri.startswith(("mongodb://", "mongodb+srv://")):  # the driver would take it for the name of a server
        raise UnusableURIError("no connection string of MongoDB")
    try:
        return _client(uri, pool_size)
    except (ConfigurationError, ValueError, TypeError) as error:  # the texts of these may show a part of the URI
        cause = type(error.__cause__)
        if cause.__module__.startswith("dns."):
            raise StoreUnavailableError(f"MongoDB's servers: {cause.__name__}") from None
        raise UnusableURIError("no connection string that can be used") from None


def _client(uri: str, pool_size: int) -> MongoClient[dict[str, Any]]:
    return MongoClient(
        uri,
        appname="eventlog",
        retryWrites=False,  # a retried push could be applied twice; Appender makes its own retry safe
        retryReads=True,
        maxPoolSize=pool_size,  # a bound: a function has one request at a time, so it holds one connection or two
        minPoolSize=0,  # a frozen function can't keep connections up
        maxIdleTimeMS=240_000,  # NAT gateways forget an idle connection after 350 s, and the next use of it hangs
        serverSelectionTimeoutMS=5000,  # an election takes about 2 s
        waitQueueTimeoutMS=2000,
        connectTimeoutMS=3000,
        socketTimeoutMS=14_000,  # of a single answer, where there is no limit for the whole (``answered``)
        compressors=[],  # an event is small: packing it costs more time than it saves
    )


def open_log(
    client: MongoClient[dict[str, Any]], database: str, origin: str, apart_from: int = APART_FROM
) -> "MongoStore":
    """Open the log in a database of this client (``connect``); see ``MongoStore``.

    Other parts of the log (``TreeReader``, ``AuditStore``, ``CheckpointStore``, ``Leases``, ...) are opened over what
    this returns, so that all of them share one client with its read and write concerns.
    """
    return MongoStore(Operations(client, database), origin, apart_from)


class MongoStore:
    """``EventStore`` on MongoDB; ``origin`` names the log in the chains that it creates. ``open_log`` makes one.

    ``apart_from``: payloads of so many bytes or more are stored apart from their events; 0: none.
    """

    def __init__(self, operations: Operations, origin: str, apart_from: int = APART_FROM) -> None:
        self._operations = operations
        self._origin = origin
        self._apart_from = apart_from
        self._last_pushes = LastPushes()

    def close(self) -> None:
        """Close the client, that of everything opened over this log."""
        self._operations.close()

    def append(self, chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        """See ``EventAppender.append``."""
        return self.append_limited(chain, drafts, new_chains=0)

    def append_limited(self, chain: str, drafts: Sequence[Draft], *, new_chains: int) -> list[Placed]:
        """Append for callers who may each create so many chains in a day; 0: any number.

        Raises:
            LimitError: the chain does not exist, and none of the drafts' principals may create one more today.
            StoreError: see ``EventAppender.append``.
        """
        entries = put_apart([draft.entry for draft in drafts], self._apart_from)
        drafts = [
            draft if draft.entry is entry else draft._replace(entry=entry)
            for draft, entry in zip(drafts, entries, strict=True)
        ]
        return append(self._operations, self._last_pushes, chain, self._origin, drafts, new_chains=new_chains)

    def open_chain(self, chain: str, principal: str, *, new_chains: int) -> None:
        """Create a chain, empty, for an event that is appended later; nothing happens if it exists.

        Raises:
            LimitError: it does not exist, and the caller may not create one more today (``append_limited``).
            StoreUnavailableError: MongoDB can't be reached.
        """
        with answered(self._operations.client):
            open_chain(self._operations, chain, self._origin, principal, new_chains)

    def settle(self, chain: str) -> int:
        """See ``EventAppender.settle``."""
        with answered(self._operations.client):
            return Settler(self._operations, chain).drain()

    def unsettled(self) -> dict[str, int]:
        """Return the chains that have pending entries, and their sizes; those whose size can't be read have none."""
        with mapped():
            found = self._operations.read_unsettled()
        return {one["_id"]: one["size"] for one in found if isinstance(one["_id"], str) and _is_whole(one.get("size"))}

    def get(self, chain: str, event_id: str) -> Event | None:
        """See ``EventReader.get``."""
        with answered(self._operations.client), self._operations.session() as session:
            image = self._operations.read_sequence(chain, session)
            # An entry leaves the sequence document only after it is in events, so in this order it can't be missed.
            pending = image.events() if image else iter(())
            found = [event for event in pending if event.entry.event_id == event_id]
            found = found or self._operations.read_events(chain, [event_id], session)
            return next(iter(self._operations.read_bodies(found[:1], session)), None)

    def page(self, query: Query) -> Page[Event]:
        """See ``EventReader.page``."""
        with answered(self._operations.client):
            return read_page(self._operations, query)

    def texts(self, query: Query) -> Page[bytes]:
        """See ``EventReader.texts``."""
        with answered(self._operations.client):
            return read_texts(self._operations, query)

    def chains(self, after: str, limit: int, names: Sequence[str] | None = None) -> list[Chain | UnreadableChain]:
        """See ``EventReader.chains``."""
        query = {"_id": {"$gt": after, "$regex": _CHAIN_NAME}}
        allowed = [] if names is None else [among("_id", names)]
        with answered(self._operations.client):
            found = self._operations.raw_sequences.find({"$and": [query, *allowed]}, sort=[("_id", 1)], limit=limit)
            return [_listed(bytes(image.raw)) for image in found]

    def chain(self, name: str) -> Chain | None:
        """See ``EventReader.chain``; the head is computed from the settled state and the pending entries."""
        with answered(self._operations.client):
            found = self._operations.raw_sequences.find_one({"_id": name})
            return None if found is None else _chain(bytes(found.raw))

    def make_search_indexes(self) -> None:
        """Make the indexes that searches by field need, if this user may; else ``make db-setup`` has made them.

        Raises:
            StoreError: MongoDB can't be reached, or can't make them.
        """
        with answered(self._operations.client):
            indexes.ensure(self._operations.events, indexes.SEARCH)

    def ping(self) -> None:
        """See ``EventReader.ping``."""
        with mapped():
            self._operations.sequences.find_one({"_id": ""})


def _listed(raw: bytes) -> Chain | UnreadableChain:
    """Read a chain for a list, which one that is damaged must not end."""
    try:
        return _chain(raw)
    except NotOursError:
        return UnreadableChain(str(decode_roughly(raw).get("_id", "")))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _chain(raw: bytes) -> Chain:
    image = decode_sequence(raw)
    state = image.settled.copy()
    state.fold(entry.content_hash for entry in image.pending)
    return Chain(image.chain, image.origin, image.settled.size, state)


def operations_of(log: MongoStore) -> Operations:
    """Return the database steps behind a log. Internal to this package; tests that interrupt or tamper use it too."""
    return log._operations
