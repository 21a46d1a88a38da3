"""What each function's database user may do: least privilege, as MongoDB's custom roles.

No role but the one that erases may update an event or remove a payload, and none may remove an event, drop anything, or
change indexes and validators. An update of ``sequences`` can't be narrowed to some of its fields: with a writer's
password one can still be damaged, which audits and anchors show. Nor can one of ``events`` be: with the password of the
user that erases more can be emptied, or altered, than the log orders, and audits and the watcher tell of that.
"""

from dataclasses import dataclass
from typing import Any

READ = ("find",)
APPEND = ("find", "insert")
CHANGE = ("find", "insert", "update")
WATCH = ("changeStream", "find")
LIST = ("listIndexes",)
DATABASE = ""
"""The name under which a role has what it may do with the database as a whole, as MongoDB has it."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role and, of the same name, its user: the actions by collection; under "" those on any of the database."""

    name: str
    actions: dict[str, tuple[str, ...]]

    def privileges(self, database: str) -> list[dict[str, Any]]:
        """As ``createRole`` takes them and ``rolesInfo`` shows them."""
        return [
            {"resource": {"db": database, "collection": collection}, "actions": list(actions)}
            for collection, actions in self.actions.items()
        ]


ROLES = (
    # pushes (findAndModify, a chain's first document), settles what it has pushed (insert, trim), counts new chains
    Role("eventlog-ingest", {"events": APPEND, "sequences": CHANGE, "bodies": APPEND, "quotas": CHANGE}),
    # reads, and is told when a chain has grown, for streams
    Role(
        "eventlog-query",
        {
            "events": READ,
            "sequences": WATCH,
            "bodies": READ,
            "audits": READ,
            "checkpoints": READ,
            "cosignatures": READ,
            "heads": READ,
        },
    ),
    # settles, appends to the log's own chain, keeps reports (with leases), copies of anchors and cosignatures; compares
    # collections and indexes with what is declared, and is told of changes that no role makes
    Role(
        "eventlog-audit",
        {
            "events": (*APPEND, *LIST),
            "sequences": (*CHANGE, *LIST),
            "bodies": (*APPEND, *LIST),
            "audits": (*CHANGE, *LIST),
            "checkpoints": (*APPEND, *LIST),
            "cosignatures": (*APPEND, *LIST),
            "quotas": LIST,
            "heads": (*CHANGE, *LIST),
            "erasures": LIST,
            # MongoDB tells of the changes of a whole database only to whoever may read all of it.
            DATABASE: ("listCollections", *WATCH),
        },
    ),
    # settles, appends orders, empties the payloads that they name; what is anchored it reads from copies of anchors
    Role(
        "eventlog-erase",
        {
            "events": CHANGE,
            "sequences": ("find", "update"),
            "bodies": (*APPEND, "remove"),
            "checkpoints": READ,
            "erasures": CHANGE,
        },
    ),
)
