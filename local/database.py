"""Which database the development server uses: the one of MONGO_URI, or one of its own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError

from eventlog.settings import Settings
from local.machine import LocalError
from local.mongod.embedded import EmbeddedMongo

DATA = Path(".eventlog") / "mongo"
SECONDS = 3


@contextlib.contextmanager
def open_database(uri: str | None) -> Iterator[tuple[str, str]]:
    """The URI to use, and in words where that is; the embedded MongoDB runs meanwhile if there is no `uri`.

    Raises: LocalError
    """
    if uri:
        yield uri, f"{check_mongo(uri, Settings().mongo_database)} (from MONGO_URI)"
        return
    with EmbeddedMongo(DATA) as embedded:
        yield embedded.uri, f"{embedded.address}, embedded; its data is kept in {embedded.data_dir}"


def check_mongo(uri: str, database: str, variable: str = "MONGO_URI") -> str:
    """Connects and returns the place that `uri` names; the user name and password are never shown.

    `variable` is where the user has it from.

    Raises: LocalError when nobody answers there, or it is not a replica set or mongos, or it refuses us.
    """
    try:
        client = MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=SECONDS * 1000)
    except (PyMongoError, ValueError) as error:  # the driver's text may repeat parts of the URI
        reason = "its host name is not found" if "DNS" in str(error) else "it must look like mongodb://host:port/"
        raise LocalError(f"{variable} can't be used: {reason}.") from error
    place = uri.rpartition("@")[2].removeprefix("mongodb://").removeprefix("mongodb+srv://")
    place = place.split("/")[0].split("?")[0]
    with client:
        try:
            hello = client.admin.command("hello")
            client[database]["sequences"].find_one({}, {"_id": 1})
        except (OperationFailure, ConfigurationError) as error:
            raise LocalError(f"MongoDB at {place} refuses the user or password in {variable}.") from error
        except PyMongoError as error:
            where = f"{place} (from {variable}) within {SECONDS} s"
            raise LocalError(f"No MongoDB answers at {where}, or its replica set has no primary.") from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise LocalError(
            f"MongoDB at {place} (from {variable}) is a standalone; the log needs a replica set or mongos."
        )
    return place
