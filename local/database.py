"""Which database the development server uses: the one of MONGO_URI, or one of its own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from admin.mongo import check_mongo
from eventlog.settings import Settings
from local.mongod.embedded import EmbeddedMongo

DATA = Path(".eventlog") / "mongo"


@contextlib.contextmanager
def open_database(uri: str | None) -> Iterator[tuple[str, str]]:
    """Yield the URI to use, and a description of it; without ``uri``, run the embedded MongoDB for it.

    Raises:
        CommandError: the MongoDB of ``uri`` can't be used, or the embedded one does not start.
    """
    if uri:
        yield uri, f"{check_mongo(uri, Settings().mongo_database)} (from MONGO_URI)"
        return
    with EmbeddedMongo(DATA) as embedded:
        yield embedded.uri, f"{embedded.address}, embedded; its data is kept in {embedded.data_dir}"
