"""Checks a MongoDB URI before anything is done with it."""

from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError

from admin.command import CommandError, CommandSettings
from eventlog.settings import ConfigurationError as SettingsError
from eventlog.store.mongo.tls import check_uri

ANSWER_SECONDS = 3
"""How long MongoDB may take to answer."""


def check_mongo(uri: str, database: str, variable: str = "MONGO_URI") -> str:
    """Connect once, and return the hosts that ``uri`` names, without user name and password.

    ``variable`` is the setting that the user has put the URI into, for the error text.

    Raises:
        CommandError: it asks for no TLS to another machine, nobody answers there, it is neither a replica set nor a
            mongos, or it refuses the user.
    """
    try:
        if not CommandSettings().allow_plaintext_mongodb:
            check_uri(uri, variable)
        client = MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=ANSWER_SECONDS * 1000)
    except SettingsError as error:
        raise CommandError(f"{error}.") from error
    except (PyMongoError, ValueError) as error:  # the driver's text may repeat parts of the URI
        reason = "its host name is not found" if "DNS" in str(error) else "it must look like mongodb://host:port/"
        raise CommandError(f"{variable} can't be used: {reason}.") from error
    # Only the part after the last @ is shown, as there may be a password before it.
    place = uri.rpartition("@")[2].removeprefix("mongodb://").removeprefix("mongodb+srv://")
    place = place.split("/")[0].split("?")[0]
    with client:
        try:
            hello = client.admin.command("hello")
            # ``hello`` needs no rights; a read shows whether the user may sign in and read the log.
            client[database]["sequences"].find_one({}, {"_id": 1})
        except (OperationFailure, ConfigurationError) as error:
            raise CommandError(f"MongoDB at {place} refuses the user or password in {variable}.") from error
        except PyMongoError as error:
            where = f"{place} (from {variable}) within {ANSWER_SECONDS} s"
            raise CommandError(f"No MongoDB answers at {where}, or its replica set has no primary.") from error
    # A replica set's member has a set name; a mongos says isdbgrid. A standalone has neither, and no transactions.
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise CommandError(
            f"MongoDB at {place} (from {variable}) is a standalone; the log needs a replica set or mongos."
        )
    return place
