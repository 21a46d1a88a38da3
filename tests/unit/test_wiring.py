"""What is made of a connection string is made once, anew when the secret has another, and shared by all wirings."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from eventlog.http.app import create_app
from eventlog.http.wired import wiring_of
from eventlog.settings import ConfigurationError, Settings
from eventlog.store.errors import CredentialsRefusedError, StoreUnavailableError
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connected, Connection, Wiring, per_connection
from eventlog.wiring.query import QueryWiring
from eventlog.wiring.renewed import Renewed
from eventlog.wiring.secret import ConnectionString

NOWHERE = Settings(mongo_uri="mongodb://127.0.0.1:1/")


class Secret:
    """A connection string that a test changes."""

    setting = "MONGO_URI_SECRET"

    def __init__(self) -> None:
        self.uri: str | None = "first"
        self.reads = 0

    def get(self) -> str:
        self.reads += 1
        return str(self.uri)

    def get_again(self) -> str | None:
        self.reads += 1
        return self.uri


class Opened:
    """What was made of URIs and closed again, in that order."""

    def __init__(self) -> None:
        self.secret = Secret()
        self.closed: list[str] = []
        self.make: Callable[[str], str] = str.upper
        self.value = Renewed(cast(ConnectionString, self.secret), self._made, self.closed.append)

    def _made(self, uri: str) -> str:
        return self.make(uri)


@pytest.fixture
def opened() -> Opened:
    return Opened()


def test_nothing_is_read_before_the_first_use(opened: Opened) -> None:
    opened.value.refused()
    assert opened.secret.reads == 1, "a refusal reads the secret, but nothing is made of it"
    assert opened.value.current == opened.value.current == "FIRST"
    assert opened.secret.reads == 2


def test_threads_that_ask_first_share_one_value(opened: Opened) -> None:
    start = threading.Barrier(8)

    def ask() -> str:
        start.wait()
        return opened.value.current

    with ThreadPoolExecutor(8) as threads:
        assert {done.result() for done in [threads.submit(ask) for _ in range(8)]} == {"FIRST"}
    assert opened.secret.reads == 1


def test_a_replaced_value_is_closed_when_the_next_one_is_replaced(opened: Opened) -> None:
    _ = opened.value.current
    for uri, closed in (("second", []), ("third", ["FIRST"]), ("fourth", ["FIRST", "SECOND"])):
        opened.secret.uri = uri
        opened.value.refused()
        assert (opened.value.current, opened.closed) == (uri.upper(), closed)
    opened.value.close()
    assert opened.closed == ["FIRST", "SECOND", "FOURTH", "THIRD"]


@pytest.mark.parametrize("uri", ["first", None])
def test_a_secret_that_is_the_same_or_can_not_be_read_changes_nothing(opened: Opened, uri: str | None) -> None:
    before = opened.value.current
    opened.secret.uri = uri
    opened.value.refused()
    assert opened.value.current is before
    assert opened.closed == []


@pytest.mark.parametrize("error", [ConfigurationError("no URI"), StoreUnavailableError("no DNS")])
def test_a_secret_that_can_not_be_used_changes_nothing(opened: Opened, error: Exception) -> None:
    before = opened.value.current

    def fail(_: str) -> str:
        raise error

    opened.make, opened.secret.uri = fail, "second"
    opened.value.refused()
    assert opened.value.current is before


class Counting(Wiring):
    """A wiring of one part."""

    @per_connection
    def part(self, connected: Connected) -> list[str]:
        """A list that says what it was made of."""
        return [connected.uri]


class Replaced(Connection):
    """A connection that a test replaces."""

    current = Connected("first", cast("object", None))  # type: ignore[arg-type]


def test_a_part_is_made_once_a_connection() -> None:
    connection = Replaced(NOWHERE)
    wired = Counting(connection)
    first = wired.part
    assert wired.part is first
    connection.current = Connected("second", connection.current.log)
    assert (first, wired.part) == (["first"], ["second"])
    assert wired.part is wired.part
    assert Counting(connection).part is not wired.part


def test_a_refused_password_is_passed_on_and_the_secret_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    connection, refused = Connection(NOWHERE), list[bool]()
    monkeypatch.setattr(connection, "refused", lambda: refused.append(True))
    with pytest.raises(CredentialsRefusedError), connection.renew_if_refused():
        raise CredentialsRefusedError("no")
    with pytest.raises(StoreUnavailableError), connection.renew_if_refused():
        raise StoreUnavailableError("away")
    assert refused == [True]


def test_an_app_has_one_wiring_of_a_kind_and_all_share_its_connection() -> None:
    app = create_app(title="all", settings=NOWHERE)
    assert wiring_of(app, QueryWiring) is wiring_of(app, QueryWiring)
    assert wiring_of(app, QueryWiring).connection is wiring_of(app, AuditWiring).connection is app.state.connection
