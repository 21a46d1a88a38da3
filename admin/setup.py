"""Brings a database to its declared state (``store/mongo/schema.py``, ``store/mongo/roles.py``). Drops nothing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from admin.outcomes import State, StepOutcome, corrected, made
from admin.sharding import Sharding
from eventlog.store.mongo.indexes import Index
from eventlog.store.mongo.roles import ROLES, Role
from eventlog.store.mongo.schema import COLLECTIONS, Declared

IN_ORDER: frozenset[State] = frozenset({"as declared", "created", "changed", "skipped", "extra"})
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SetupResult:
    """The result of one step, in words for the operator."""

    kind: str
    name: str
    state: State
    detail: str = ""


class Setup:
    """Brings one database to its declared state, with an administrator's ``uri``; with ``check`` it only looks.

    ``searched``: search fields are declared, so that their indexes must be there, too.
    """

    def __init__(
        self, client: MongoClient[Document], uri: str, database: str, *, check: bool, searched: bool = False
    ) -> None:
        self._client = client
        self._uri = uri
        self._db: Database[Document] = client[database]
        self._check = check
        self._searched = searched
        self._sharding = Sharding(client, database, check=check)

    def collections(self) -> Iterator[SetupResult]:
        """Yield the results for the collections with their validators, indexes and shard keys."""
        for declared in COLLECTIONS:
            yield self._outcome("collection", declared.name, partial(self._collection, declared))
            yield from self._indexes(declared)
            if key := declared.shard_key:
                yield self._outcome("shard key", declared.name, partial(self._sharding.key, declared.name, key))
            if key and key.is_hashed and self._sharding.applies:
                yield self._outcome("placement", declared.name, partial(self._sharding.placement, declared.name, key))

    def roles(self, passwords: Mapping[str, str]) -> Iterator[SetupResult]:
        """Yield the results for the roles, and for users that exist or have a password in ``passwords``."""
        for role in ROLES:
            yield self._outcome("role", role.name, partial(self._role, role))
            yield self._outcome("user", role.name, partial(self._user, role, passwords.get(role.name)))

    def _outcome(self, kind: str, name: str, step: Callable[[], StepOutcome]) -> SetupResult:
        # What the server refuses is a result of this one step; the others may still be possible.
        try:
            state, detail = step()
        except OperationFailure as error:
            why = (error.details or {}).get("codeName", error.code)
            return SetupResult(kind, name, "refused", f"by MongoDB: {why}")
        return SetupResult(kind, name, state, detail)

    def _collection(self, declared: Declared) -> StepOutcome:
        found = next(self._db.list_collections(filter={"name": declared.name}), None)
        if found is None:
            if not self._check:
                self._db.create_collection(declared.name, **declared.options)
            return self._made()
        # MongoDB leaves out options that have their default, so those are added before comparing.
        options = {"validationLevel": "strict", "validationAction": "error"} | found.get("options", {})
        wrong = [name for name, value in declared.options.items() if options.get(name) != value]
        if wrong and not self._check:
            self._db.command("collMod", declared.name, **declared.options)
        return self._corrected([f"{name} {'is another' if name in options else 'is missing'}" for name in wrong])

    def _indexes(self, declared: Declared) -> Iterator[SetupResult]:
        # Indexes are compared by their keys, as their names are only MongoDB's defaults. What is not declared is left
        # alone; it differs only if it can refuse or remove events: unique, or with an expiry.
        found = {tuple(index["key"].items()): dict(index) for index in self._db[declared.name].list_indexes()}
        found.pop((("_id", 1),), None)
        if declared.shard_key and declared.shard_key.is_hashed:  # no query's: the shard key rests on it
            found.pop(declared.shard_key.keys, None)
        for index in (*declared.indexes, *declared.search):
            existing = found.pop(tuple(index.keys), None)
            if index in declared.search and existing is None and not self._searched:
                continue
            name = f"{declared.name} ({', '.join(index.fields)})"
            yield self._outcome("index", name, partial(self._index, declared.name, index, existing))
        for existing in found.values():
            harmful = [option for option in ("unique", "expireAfterSeconds") if existing.get(option) is not None]
            detail = f"not declared{': ' if harmful else ''}{', '.join(harmful)}; left alone"
            yield SetupResult("index", f"{declared.name} {existing['name']}", "differs" if harmful else "extra", detail)

    def _index(self, collection: str, index: Index, existing: Document | None) -> StepOutcome:
        if existing is None:
            if not self._check:
                self._db[collection].create_index(index.keys, unique=index.unique)
            return self._made()
        options = {name: value for name, value in existing.items() if name not in {"v", "key", "name"}}
        wanted = {"unique": True} if index.unique else {}
        if options == wanted:
            return "as declared", ""
        # While an index is made again there is none, so that is for the operator to do.
        return "differs", f"{options or 'no options'} instead of {wanted or 'none'}; drop it in a quiet hour, run again"

    def _role(self, role: Role) -> StepOutcome:
        found = self._db.command("rolesInfo", role.name, showPrivileges=True)["roles"]
        wanted: Document = {"privileges": role.privileges(self._db.name), "roles": []}
        if not found:
            if not self._check:
                self._db.command("createRole", role.name, **wanted)
            return self._made()
        # Single rights are compared, since MongoDB may group them in another way than they were written.
        given, needed = _actions(found[0]["privileges"]), _actions(wanted["privileges"])
        wrong = [f"may also {what}" for what in sorted(given - needed)]
        wrong += [f"may not {what}" for what in sorted(needed - given)]
        wrong += [f"inherits {parent['role']}" for parent in found[0]["roles"]]
        if wrong and not self._check:
            self._db.command("updateRole", role.name, **wanted)
        return self._corrected(wrong)

    def _user(self, role: Role, password: str | None) -> StepOutcome:
        # Without a password for it, a missing user is fine: this database may not need it. Of one that exists the
        # roles are compared. Its password can't be read, so signing in with the given one shows whether it is the same.
        found = self._db.command("usersInfo", role.name)["users"]
        wanted: Document = {"roles": [{"role": role.name, "db": self._db.name}]}
        if not found:
            if password is None:
                return "skipped", "no password for it was given"
            if not self._check:
                self._db.command("createUser", role.name, pwd=password, mechanisms=["SCRAM-SHA-256"], **wanted)
            return self._made()
        wrong = [] if found[0]["roles"] == wanted["roles"] else ["has other roles"]
        if password is not None and not self._signs_in(role.name, password):
            wrong.append("has another password")
            wanted["pwd"] = password
        if wrong and not self._check:
            self._db.command("updateUser", role.name, **wanted)
        return self._corrected(wrong)

    def _signs_in(self, user: str, password: str) -> bool:
        with MongoClient[Document](self._uri, username=user, password=password, authSource=self._db.name) as client:
            try:
                client.admin.command("ping")
            except OperationFailure:
                return False
        return True

    def _made(self) -> StepOutcome:
        return made(check=self._check)

    def _corrected(self, wrong: list[str]) -> StepOutcome:
        return corrected(wrong, check=self._check)


def _actions(privileges: list[Document]) -> set[str]:
    """Return each single right as a text: the action, and the collection or resource."""
    return {f"{action} {_place(privilege['resource'])}" for privilege in privileges for action in privilege["actions"]}


def _place(resource: Document) -> str:
    """Name what a right is about: one of our collections, the database as a whole, or whatever else it is."""
    if resource.keys() != {"db", "collection"}:
        return str(resource)
    return str(resource["collection"]) or f"database {resource['db']}"
