"""What the store can answer instead of a result, named for what the caller can do; driver errors are mapped here."""

from collections.abc import Iterator
from contextlib import contextmanager

from bson.errors import InvalidBSON
from pymongo.errors import AutoReconnect, ConfigurationError, OperationFailure, PyMongoError

from eventlog.stored.errors import NotOursError

_REFUSED = {13, 18}
"""Unauthorized, as the user of a living connection was removed; AuthenticationFailed."""
_ATLAS_ERROR = 8000


class StoreError(Exception):
    """Base of everything the store raises."""


class StoreUnavailableError(StoreError):
    """Not done, or not known to be done: try again later. Nothing was acknowledged."""


class CredentialsRefusedError(StoreUnavailableError):
    """MongoDB refuses the user or the password: others may be found where these came from. Nothing was done."""


class IdConflictError(StoreError):
    """Event ids that exist with other content; ``ids`` names them. Nothing was stored."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__(f"event ids exist with other content: {', '.join(ids)}")
        self.ids = ids


class ChainLostError(StoreUnavailableError):
    """A chain has events but its sequence document is gone: nothing can be appended until it is restored."""


class AnchorsUnavailableError(StoreUnavailableError):
    """The place where anchors are kept does not say whether an anchor is there."""


class QueueUnavailableError(StoreUnavailableError):
    """A queue did not say that it has the message: it may have it or not."""


class MessageTooLargeError(StoreError):
    """A queue takes no message of this size."""


class SigningError(StoreUnavailableError):
    """A key can't be had or does not sign: nothing was signed."""


class CorruptionError(StoreError):
    """Stored data contradicts what was acknowledged; only an audit and a person can go on."""


@contextmanager
def mapped() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except ConfigurationError:
        raise
    except InvalidBSON as error:
        raise CorruptionError("a stored document is damaged: it can't be decoded") from error
    except PyMongoError as error:
        kind = CredentialsRefusedError if _is_refusal(error) else StoreUnavailableError
        raise kind(f"MongoDB: {type(error).__name__}") from error
    except NotOursError as error:
        raise CorruptionError(f"a stored document is damaged: {error}") from error


def _is_refusal(error: PyMongoError) -> bool:
    """Whether it is about the user or the password. Once a new connection was refused, others only wait for a server to
    be chosen, and of the refusal nothing is left but its text; Atlas has one code for many errors."""
    if isinstance(error, OperationFailure) and error.code in _REFUSED:
        return True
    told = isinstance(error, AutoReconnect) or (isinstance(error, OperationFailure) and error.code == _ATLAS_ERROR)
    return told and "authentication failed" in str(error).lower()
