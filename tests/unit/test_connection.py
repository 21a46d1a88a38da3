"""The settings of a connection, which a URI can't loosen."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo import append, counts, driver_errors, push
from eventlog.store.mongo.driver_errors import REQUEST_SECONDS
from eventlog.store.mongo.store import connect
from tests.infrastructure import sam

LOOSE = "mongodb://127.0.0.1:1/?retryWrites=true&maxPoolSize=500&minPoolSize=5&socketTimeoutMS=0"
API_SECONDS = sam.of_type("AWS::Lambda::Function")["IngestFunction"]["Timeout"]


@pytest.fixture
def client() -> Iterator[MongoClient[dict[str, Any]]]:
    with connect(LOOSE, pool_size=4) as client:
        yield client


def test_the_driver_never_repeats_a_push(client: MongoClient[dict[str, Any]]) -> None:
    assert client.options.retry_writes is False


def test_a_function_holds_few_connections_and_none_when_idle(client: MongoClient[dict[str, Any]]) -> None:
    pool = client.options.pool_options
    assert (pool.max_pool_size, pool.min_pool_size) == (4, 0)


def test_an_idle_connection_is_given_up_before_a_nat_gateway_forgets_it(client: MongoClient[dict[str, Any]]) -> None:
    idle = client.options.pool_options.max_idle_time_seconds
    assert idle is not None
    assert idle < 350


def test_one_operation_gives_up_before_the_function_behind_the_api_is_cut_off(
    client: MongoClient[dict[str, Any]],
) -> None:
    pool = client.options.pool_options
    waits = [
        pool.wait_queue_timeout,
        pool.connect_timeout,
        pool.socket_timeout,
        client.options.server_selection_timeout,
    ]
    assert sum(wait or float("inf") for wait in waits) < API_SECONDS


def test_so_does_a_call_of_two_parts_with_whatever_the_driver_tries_again() -> None:
    assert 2 * REQUEST_SECONDS < API_SECONDS
    assert REQUEST_SECONDS + counts.MAX_SECONDS < API_SECONDS


def test_where_no_server_is_there_a_call_waits_no_longer_than_the_connection_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver_errors, "REQUEST_SECONDS", 3600.0)  # what only a test that hangs would wait for
    nowhere: MongoClient[dict[str, Any]] = MongoClient("mongodb://127.0.0.1:1", serverSelectionTimeoutMS=50)
    with nowhere, pytest.raises(StoreUnavailableError), driver_errors.answered(nowhere):
        nowhere["eventlog"]["events"].find_one()


def test_of_an_append_s_time_some_is_left_after_its_push_and_for_settling() -> None:
    assert push.PUSH_SECONDS < append._DEADLINE_SECONDS < REQUEST_SECONDS
