"""Causally consistent sessions, also over connections that were made at a bad moment."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bson import Timestamp
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.errors import AutoReconnect, ConfigurationError

from eventlog.stored import codec
from eventlog.stored.fields import ClusterTime

_NO_SESSIONS = "Sessions are not supported"


@contextmanager
def causal_session(client: MongoClient[dict[str, Any]]) -> Iterator[ClientSession]:
    """Open a causally consistent session on the primary.

    A connection that was made while its server was neither primary nor secondary (it has just started, or is stepping
    down) takes no sessions for as long as it lives, and the driver would use it again and again.

    Raises:
        AutoReconnect: there was such a connection; the next ones are new.
    """
    try:
        with client.start_session(causal_consistency=True) as session:
            yield session
    except ConfigurationError as error:
        # The driver has no error of its own for it. Any other of this kind is a mistake in the settings.
        if _NO_SESSIONS not in str(error):
            raise
        _drop_connections(client)
        raise AutoReconnect("the connection was made while its server was neither primary nor secondary") from error


@contextmanager
def session_after(client: MongoClient[dict[str, Any]], time: ClusterTime | None) -> Iterator[ClientSession]:
    """Open a session that sees the database as it was at this time, of an earlier read, or later.

    After a failover the new primary may lag behind what was read: then it waits until it has caught up.

    Raises:
        AutoReconnect: as ``causal_session``.
    """
    with causal_session(client) as session:
        if time is not None:
            session.advance_operation_time(Timestamp(time.seconds, time.increment))
        if time is not None and time.gossip:
            session.advance_cluster_time(codec.decode(time.gossip))
        yield session


def _drop_connections(client: MongoClient[dict[str, Any]]) -> None:
    """Make the driver open new connections: it has no public way to close one that still works.

    With a driver that no longer has these attributes nothing is done: it closes connections once they are idle enough.
    """
    with suppress(AttributeError):
        for server in list(client._topology._servers.values()):
            server.pool.reset_without_pause()
