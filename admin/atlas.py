"""The same roles for MongoDB Atlas, where its own API makes roles and users and ``createRole`` is refused."""

import json
import re
from collections.abc import Iterator

from eventlog.store.mongo.roles import ROLES, Role


def commands(database: str) -> Iterator[str]:
    """Yield the commands for Atlas's command line, which asks for the passwords itself."""
    for role in ROLES:
        rights = ",".join(
            f"{_name(action)}@{f'{database}.{collection}' if collection else database}"
            for collection, actions in role.actions.items()
            for action in actions
        )
        yield f"atlas customDbRoles create {role.name} --privilege {rights}"
    for role in ROLES:
        yield f"atlas dbusers create --username {role.name} --role {role.name}@admin"


def definition(role: Role, database: str) -> str:
    """Return a role as the body of a request to Atlas's API (customDBRoles/roles), or as the file for ``atlas api``."""
    by_action: dict[str, list[dict[str, str]]] = {}
    for collection, actions in role.actions.items():
        for action in actions:
            by_action.setdefault(_name(action), []).append({"db": database, "collection": collection})
    listed = [{"action": action, "resources": resources} for action, resources in by_action.items()]
    return json.dumps({"roleName": role.name, "actions": listed})


def _name(action: str) -> str:
    """Return what Atlas calls an action: ``CHANGE_STREAM`` for ``changeStream``."""
    return re.sub(r"([A-Z])", r"_\1", action).upper()
