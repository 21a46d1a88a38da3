"""What is made from the connection string, and made again when the secret has a new one."""

import threading
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from aws_lambda_powertools import Logger

from eventlog.settings import ConfigurationError
from eventlog.store.errors import StoreUnavailableError
from eventlog.wiring.secret import ConnectionString

T = TypeVar("T")


class _Made(NamedTuple, Generic[T]):
    uri: str
    value: T


class Renewed(Generic[T]):
    """One value for all threads, made on first use, and again when a password is refused and the secret has another.

    A value that was replaced is still used by the requests that have it. It is closed when the value after it has been
    replaced too, so that no more than two are open.
    """

    def __init__(self, source: ConnectionString, make: Callable[[str], T], close: Callable[[T], None]) -> None:
        self._source = source
        self._make = make
        self._close = close
        self._making = threading.Lock()
        self._renewing = threading.Lock()
        self._current: _Made[T] | None = None
        self._replaced: _Made[T] | None = None

    @property
    def current(self) -> T:
        """The value, of the connection string as it was last read.

        Raises:
            ConfigurationError: No setting names a connection string, or it can't be used.
            StoreUnavailableError: The secret can't be read now.
        """
        found = self._current
        if found is None:
            with self._making:  # other threads wait for the one that reads the secret
                found = self._current
                if found is None:
                    uri = self._source.get()
                    found = self._current = _Made(uri, self._make(uri))
        return found.value

    def refused(self) -> None:
        """Read the secret again, after MongoDB refused the user or the password, and use what it says now.

        Never raises: a secret that can't be read or used changes nothing but a line in the log.
        """
        if not self._renewing.acquire(blocking=False):
            return  # another thread is reading the secret; the caller asks again and finds what that thread made
        try:
            uri, old = self._source.get_again(), self._current
            if uri is None or old is None or uri == old.uri:
                return  # the secret says nothing new, so neither would a new connection
            new = _Made(uri, self._make(uri))
            if self._replaced is not None:
                self._close(self._replaced.value)
            self._replaced, self._current = old, new
            _logger().warning("MongoDB refused the password; the secret has another, which is used now")
        except (ConfigurationError, StoreUnavailableError) as error:
            _logger().error("the new secret can't be used", extra={"error": str(error)})
        finally:
            self._renewing.release()

    def close(self) -> None:
        """Close the value and the one before it, if there are any."""
        for made in (self._current, self._replaced):
            if made is not None:
                self._close(made.value)


def _logger() -> Logger:
    return Logger(service="eventlog")
