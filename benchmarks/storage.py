"""What the stored events take up, by collStats."""

from collections.abc import Iterator
from typing import Any

from benchmarks.measure import Run, Table
from benchmarks.stored import stored


def storage(run: Run, count: int) -> Table:
    """Bytes an event of the documents, compressed and not, and of each index."""
    name = stored(run, count)
    with run.client() as client:
        client.admin.command("fsync")
        stats: dict[str, Any] = client[name].command("collStats", "events")
    return Table(
        f"Growth: storage at {count:,} events",
        "By `collStats` after a checkpoint. Events are those of an sshd log, with payloads of 75..184 bytes and random "
        "ids, salts and hashes; WiredTiger compresses documents with snappy and indexes by prefix. The indexes by time "
        "were built after the events, so their pages are full; those that grow insert by insert are larger.",
        ["what", "bytes an event", "MiB"],
        [[what, f"{size / count:.1f}", f"{size / 2**20:.0f}"] for what, size in _sizes(stats)],
    )


def _sizes(stats: dict[str, Any]) -> Iterator[tuple[str, float]]:
    yield "documents as BSON", stats["size"]
    yield "documents as stored", stats["storageSize"]
    for index, size in stats["indexSizes"].items():
        yield f"index `{index.replace('_1', '')}`", size
    yield "all indexes", stats["totalIndexSize"]
    yield "all as stored", stats["storageSize"] + stats["totalIndexSize"]
