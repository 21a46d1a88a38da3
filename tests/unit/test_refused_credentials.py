"""Which of the driver's errors mean that another password may help."""

import pytest
from pymongo.errors import (
    AutoReconnect,
    InvalidOperation,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from eventlog.store.errors import CredentialsRefusedError, StoreUnavailableError
from eventlog.store.mongo.driver_errors import mapped


def answered(error: PyMongoError) -> type[Exception]:
    with pytest.raises(StoreUnavailableError) as raised, mapped():
        raise error
    return raised.type


@pytest.mark.parametrize(
    "error",
    [
        OperationFailure("Authentication failed.", 18),
        OperationFailure("command find requires authentication", 13),
        OperationFailure("bad auth : Authentication failed.", 8000),
        ServerSelectionTimeoutError("Authentication failed., full error: {'code': 18}, Timeout: 5.0s, Topology ..."),
        AutoReconnect("bad auth : authentication failed"),
    ],
    ids=str,
)
def test_a_refusal_is_told_from_other_errors(error: PyMongoError) -> None:
    assert answered(error) is CredentialsRefusedError


@pytest.mark.parametrize(
    "error",
    [
        OperationFailure("cannot do that in the free tier", 8000),
        OperationFailure("Document failed validation: Authentication failed", 121),
        ServerSelectionTimeoutError("connection refused"),
        NetworkTimeout("timed out"),
        InvalidOperation("Cannot use MongoClient after close"),
    ],
    ids=str,
)
def test_other_errors_are_no_refusal(error: PyMongoError) -> None:
    assert answered(error) is StoreUnavailableError
