"""A second row with an event's id, as a database administrator may plant it: right in itself, in another's place."""

from bson import Binary, Int64

from eventlog.formats import hashing
from eventlog.store.mongo.operations import Operations


def plant_second_row(
    operations: Operations, seq: int, event_id: str, payload: str = '{"amount":1000000}', chain: str = "main"
) -> None:
    """Put a row with this id in the place of the settled event at a seq; all its hashes are right."""
    row = operations.events.find_one({"chain": chain, "seq": Int64(seq)})
    assert row is not None
    operations.events.delete_one({"_id": row["_id"]})
    payload_hash = hashing.payload_hash(row["salt"], payload.encode())
    content_hash = hashing.content_hash(
        chain=chain,
        event_id=event_id,
        event_type=row["event_type"],
        source_id=row["source_id"],
        timestamp=int(row["timestamp"]),
        received_at=int(row["received_at"]),
        principal=row["principal"],
        payload_hash=payload_hash,
    )
    digest = hashing.leaf_hash(hashing.leaf(seq, row["prev_hash"], content_hash))
    hashes = {"payload_hash": payload_hash, "content_hash": content_hash, "hash": digest}
    forged = {"_id": f"{chain}/planted", "event_id": event_id, "payload": payload}
    operations.events.insert_one(row | forged | {name: Binary(value) for name, value in hashes.items()})
