"""Databases of given sizes, shared by the benchmarks of one run."""

from collections.abc import Iterator
from contextlib import contextmanager

from bson import Int64

from eventlog.store.mongo.operations import Operations
from tools.benchmarks.chain_writers import CHAIN
from tools.benchmarks.measure import Run
from tools.benchmarks.seed import seed


def stored(run: Run, count: int) -> str:
    """Return the name of a database whose chain has ``count`` settled events; it is seeded if it isn't there."""
    name = f"seeded_{count}"
    with run.client() as client:
        found = Operations(client, name).sequences.find_one({"_id": CHAIN}, {"size": 1})
        if found is None or found["size"] != count:
            client.drop_database(name)
            seed(client, name, CHAIN, count)
    return name


@contextmanager
def restored(run: Run, count: int) -> Iterator[str]:
    """Yield the name of such a database, to append to and to audit; it is set back afterwards."""
    name = stored(run, count)
    with run.client() as client:
        operations = Operations(client, name)
        before = operations.raw_sequences.find_one({"_id": CHAIN})
        assert before is not None
        try:
            yield name
        finally:
            operations.events.delete_many({"chain": CHAIN, "seq": {"$gte": Int64(count)}})
            operations.raw_sequences.replace_one({"_id": CHAIN}, before)
            operations.audits.drop()
            operations.checkpoints.drop()
