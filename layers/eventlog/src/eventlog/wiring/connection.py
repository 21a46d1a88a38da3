"""The connection to MongoDB that a process keeps, and what the functions' wirings have in common."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar, overload

from eventlog.settings import ConfigurationError, Settings
from eventlog.store.errors import CredentialsRefusedError, UnusableURIError
from eventlog.store.mongo.store import MongoStore, connect, open_log
from eventlog.store.mongo.tls import check_uri
from eventlog.wiring.renewed import Renewed
from eventlog.wiring.secret import ConnectionString

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Connected:
    """The log over one connection string."""

    uri: str = field(repr=False)
    log: MongoStore


class Connection:
    """The settings of a process and the log that they name: connected on first use, and anew when the secret changes.

    It is shared: by all threads, and on the development server by the wirings of all functions.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._given = settings
        self._source = ConnectionString(lambda: self.settings)
        self._renewed = Renewed(self._source, self._connect, lambda connected: connected.log.close())

    @cached_property
    def settings(self) -> Settings:
        """The settings given, else those of the environment, which is read on first use."""
        return self._given or Settings()

    @property
    def current(self) -> Connected:
        """The connection as it is now.

        Raises:
            ConfigurationError: No setting names a connection string, or it can't be used.
            StoreUnavailableError: The secret can't be read, or DNS doesn't say which servers are meant.
        """
        return self._renewed.current

    @property
    def log(self) -> MongoStore:
        """The log over the current client; it raises what ``current`` raises."""
        return self.current.log

    def refused(self) -> None:
        """Connect anew if the secret has changed: MongoDB refused the user or the password."""
        self._renewed.refused()

    @contextmanager
    def renew_if_refused(self) -> Iterator[None]:
        """Pass every error on; after a refused password the next use finds the secret's new one.

        Routes need no such block: the table of problem documents does the same for all of them.

        Raises:
            CredentialsRefusedError: MongoDB refused the user or the password.
        """
        try:
            yield
        except CredentialsRefusedError:
            self.refused()
            raise

    def close(self) -> None:
        """Close the clients, if there are any."""
        self._renewed.close()

    def _connect(self, uri: str) -> Connected:
        settings = self.settings
        if not settings.allow_plaintext_mongodb:
            check_uri(uri, self._source.setting)
        try:
            client = connect(uri, settings.mongo_pool_size)
        except UnusableURIError:  # the operator is told which setting to change
            raise ConfigurationError(f"{self._source.setting} is no connection string that can be used") from None
        log = open_log(client, settings.mongo_database, settings.origin, settings.payloads_apart_from)
        return Connected(uri, log)


class Wiring:
    """What one function works with. Each function has a subclass with the parts it needs, made on first use.

    A part that depends on the connection is a ``per_connection`` attribute, any other a ``cached_property``.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @property
    def log(self) -> MongoStore:
        """The log as it is connected now."""
        return self.connection.log

    @property
    def settings(self) -> Settings:
        """The process's settings."""
        return self.connection.settings


W = TypeVar("W", bound=Wiring)


def per_connection(make: Callable[[W, Connected], T]) -> "_PerConnection[W, T]":
    """Decorate a method of a wiring: an attribute made on first use, and again for another connection.

    Two threads that ask at the same moment may make one each; one of the two is kept.
    """
    return _PerConnection(make)


class _PerConnection(Generic[W, T]):
    """The descriptor behind ``per_connection``; it keeps in the wiring what it made, and for which connection."""

    def __init__(self, make: Callable[[W, Connected], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._place = f"_{name} of the connection"  # no real attribute has blanks in its name

    @overload
    def __get__(self, wiring: None, owner: type) -> "_PerConnection[W, T]": ...
    @overload
    def __get__(self, wiring: W, owner: type) -> T: ...
    def __get__(self, wiring: W | None, owner: type) -> "_PerConnection[W, T] | T":
        if wiring is None:
            return self
        connected = wiring.connection.current
        made: tuple[Connected, T] | None = wiring.__dict__.get(self._place)
        if made is None or made[0] is not connected:
            made = wiring.__dict__[self._place] = connected, self._make(wiring, connected)
        return made[1]
