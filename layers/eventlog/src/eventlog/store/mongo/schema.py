"""What a database holds, declared: collections, their validators (``validators.py``), indexes and shard keys."""

from dataclasses import dataclass, field
from typing import Any

from eventlog.store.mongo import indexes, validators
from eventlog.store.mongo.indexes import Index, ShardKey
from eventlog.store.mongo.validators import Schema


@dataclass(frozen=True, slots=True)
class Declared:
    """A collection. ``shard_key`` matters on a sharded cluster only; without one it stays on one shard.

    ``search`` are indexes that are there only where search fields are declared.
    """

    name: str
    schema: Schema
    indexes: tuple[Index, ...] = ()
    shard_key: ShardKey | None = None
    lengths: dict[str, int] = field(default_factory=dict)
    rule: dict[str, Any] | None = None
    search: tuple[Index, ...] = ()

    @property
    def validator(self) -> dict[str, Any]:
        """The schema, and what a schema can't give: the lengths of binary fields, and a rule over several."""
        lengths = [{"$eq": [{"$binarySize": f"${name}"}, size]} for name, size in self.lengths.items()]
        rules = [*lengths, *([] if self.rule is None else [self.rule])]
        return {"$jsonSchema": self.schema} | ({"$expr": {"$and": rules}} if rules else {})

    @property
    def options(self) -> dict[str, Any]:
        """As ``create`` and ``collMod`` take them. Moderate: what was damaged before stops no push."""
        validator = self.validator
        return {"validator": validator, "validationLevel": "moderate", "validationAction": "error"}


COLLECTIONS = (
    Declared(
        "events",
        validators.EVENT,
        indexes.EVENTS,
        shard_key=indexes.EVENTS_SHARDED,
        lengths=validators.EVENT_LENGTHS,
        rule=validators.EVENT_RULE,
        search=indexes.SEARCH,
    ),
    Declared("sequences", validators.SEQUENCE, shard_key=indexes.SEQUENCES_SHARDED),
    Declared("bodies", validators.BODY, shard_key=indexes.BODIES_SHARDED),
    Declared("audits", validators.AUDIT, indexes.AUDITS),
    Declared("checkpoints", validators.CHECKPOINT, indexes.CHECKPOINTS),
    Declared("cosignatures", validators.COSIGNATURE, indexes.COSIGNATURES),
    Declared("quotas", validators.QUOTA),
    Declared("heads", validators.HEADS),
    Declared("erasures", validators.ERASURES),
)
