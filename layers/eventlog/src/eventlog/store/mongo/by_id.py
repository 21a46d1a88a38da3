"""Finding events by id."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from pymongo import MongoClient

from eventlog.stored import codec


class ById:
    """Builds queries for settled events by id, for the servers that a client is connected to.

    Ids are no part of the shard key, so a router would ask every shard, and wait for one that is down though it has
    nothing of the chain. The chain is a part of it, so with the chain it asks those that have some of it. Where there
    is no router it is left out: a row whose chain was altered is found then, and its id is not given away again.
    """

    def __init__(self, client: MongoClient[dict[str, Any]]) -> None:
        self._client = client

    def query(self, chain: str, ids: Iterable[str]) -> dict[str, Any]:
        """Build what ``find`` is given: the filter, and the index if MongoDB would have to choose."""
        keys = [codec.document_id(chain, event_id) for event_id in ids]
        by_id: dict[str, Any] = {"_id": keys[0] if len(keys) == 1 else {"$in": keys}}
        return {"filter": by_id | {"chain": chain}, "hint": {"_id": 1}} if self.routed else {"filter": by_id}

    @cached_property
    def routed(self) -> bool:
        """Whether the client is connected to a router."""
        return self._client.is_mongos
