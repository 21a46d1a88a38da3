"""The one place where errors of MongoDB's driver, and of decoding what it read, become errors of the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
from bson.errors import InvalidBSON
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, ConfigurationError, OperationFailure, PyMongoError

from eventlog.store.errors import CorruptionError, CredentialsRefusedError, StoreUnavailableError
from eventlog.stored.errors import NotOursError

REQUEST_SECONDS = 12.0
"""What one call may wait for MongoDB in all. A function behind the API has 25 s, and most requests make one call."""

_REFUSED = {13, 18}
"""Unauthorized, as the user of a living connection was removed; AuthenticationFailed."""
_ATLAS_ERROR = 8000


@contextmanager
def mapped() -> Iterator[None]:
    """Turn the driver's errors into the store's.

    Raises:
        CorruptionError: a stored document can't be decoded, or is not one that this version writes.
        CredentialsRefusedError: MongoDB refuses the user or the password.
        StoreUnavailableError: any other error of the driver; it may have done what it was asked.
        ConfigurationError: the driver's own, as it is: the program is wrong, or the connection string.
    """
    try:
        yield
    # Its base class is PyMongoError, so it comes first.
    except ConfigurationError:
        raise
    except InvalidBSON as error:
        raise CorruptionError("a stored document is damaged: it can't be decoded") from error
    except PyMongoError as error:
        kind = CredentialsRefusedError if _is_refusal(error) else StoreUnavailableError
        raise kind(f"MongoDB: {type(error).__name__}") from error
    except NotOursError as error:
        raise CorruptionError(f"a stored document is damaged: {error}") from error


@contextmanager
def answered(client: MongoClient[Any]) -> Iterator[None]:
    """Turn errors as ``mapped`` does, and have the block end in ``REQUEST_SECONDS``, whatever it waits for.

    The driver tries a read again that was not answered, each time with a limit of its own. With this the limit is one
    for everything in the block, and goes with each operation to the server. So a router whose shard is silent answers
    in time, too. Not for generators: the limit would go on in whoever takes the next item.
    """
    with mapped():
        # Is there a server to write to? That is asked of what the driver knows. If there is none, it waits for one no
        # longer than the connection's own limit; with the limit below it would wait for all of that.
        client.is_mongos  # noqa: B018
        with pymongo.timeout(REQUEST_SECONDS):
            yield


def _is_refusal(error: PyMongoError) -> bool:
    """Whether the error is about the user or the password.

    A refused operation has a code that says so. A refused new connection has one only at first: later callers wait for
    a server to be chosen, and of the refusal nothing is left but its text. Atlas has one code for many errors, so there
    the text decides too.
    """
    if isinstance(error, OperationFailure) and error.code in _REFUSED:
        return True
    told = isinstance(error, AutoReconnect) or (isinstance(error, OperationFailure) and error.code == _ATLAS_ERROR)
    return told and "authentication failed" in str(error).lower()
