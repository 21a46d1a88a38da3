"""Compares a database's collections and indexes with what is declared (``schema.py``), for audits.

Queries name the index that they want (``hint``). MongoDB obeys, and leaves out rows that are not in it: an index that
was made again with a filter hides rows from every reader. So does a view, or a collation, in a collection's place.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bson.codec_options import CodecOptions
from pymongo.database import Database
from pymongo.errors import OperationFailure

from eventlog.store.interface.database import DatabaseShape
from eventlog.store.mongo.driver_errors import mapped
from eventlog.store.mongo.indexes import NOT_ALLOWED
from eventlog.store.mongo.schema import COLLECTIONS, Declared

Document = dict[str, Any]

_LENIENT: CodecOptions[Document] = CodecOptions(unicode_decode_error_handler="replace")
_VALIDATOR = ("validator", "validationLevel", "validationAction")
_HARMLESS = {
    *_VALIDATOR,
    "storageEngine",
    "indexOptionDefaults",
    "changeStreamPreAndPostImages",
    "comment",
    "size",
    "max",
}
"""Options of a collection that change nothing in what queries return; the last two mean something beside "capped"."""
_HIDING = {"capped", "clusteredIndex", "collation", "expireAfterSeconds", "pipeline", "timeseries", "viewOn"}
"""Options that make a collection lose rows, or its queries compare otherwise. No version sets any of them."""
_PLAIN = {"v", "key", "name", "ns", "background", "storageEngine"}
"""What every index has, or may have without another effect."""
_HARMFUL = ("unique", "expireAfterSeconds")
"""What makes an operator's own index refuse or remove rows."""
_MAY_NOT_LIST = (
    "the audit's user may not list collections and indexes, so whether they are as declared is not known: "
    "run make db-setup, which gives it the right"
)


def compare(database: Database[Document], *, set_up: bool) -> DatabaseShape:
    """See ``DatabaseReads.shape``."""
    lenient = database.with_options(codec_options=_LENIENT)
    with mapped():
        try:
            return _Comparison(lenient, set_up=set_up).run()
        except OperationFailure as error:
            if error.code not in NOT_ALLOWED:
                raise
            return DatabaseShape([], [_MAY_NOT_LIST])


class _Comparison:
    def __init__(self, database: Database[Document], *, set_up: bool) -> None:
        self._db = database
        self._set_up = set_up
        self._found = DatabaseShape([], [])

    def run(self) -> DatabaseShape:
        """Compare all collections."""
        # A log that was never set up makes its indexes before its first event. So this is asked before they are listed.
        has_events = self._db["events"].find_one({}, {"_id": 1}) is not None
        named = {"name": {"$in": [declared.name for declared in COLLECTIONS]}}
        found = {each["name"]: each for each in self._db.list_collections(filter=named)}
        validated = self._set_up or any("validator" in each.get("options", {}) for each in found.values())
        for declared in COLLECTIONS:
            each = found.get(declared.name)
            if each is None:
                if self._set_up:
                    self._found.unclear.append(f"the collection {declared.name} is missing")
            elif each["type"] != "collection":
                self._found.mismatches.append(f"{declared.name} is no collection but a {each['type']}")
            else:
                self._options(declared, each.get("options", {}), validated=validated)
                # Only queries on events name their index, so that without it they fail. The others are made on use.
                self._indexes(declared, required=self._set_up or (declared.name == "events" and has_events))
        if self._found.unclear:
            self._found.unclear.append("see make db-setup CHECK=1")
        return self._found

    def _options(self, declared: Declared, options: Document, *, validated: bool) -> None:
        """Compare a collection's options.

        A validator may be another version's: ``make db-setup`` runs before its functions are deployed. It hides no row.
        """
        for name in sorted(name for name in options if name not in _HARMLESS and options[name] not in (False, None)):
            told = self._found.mismatches if name in _HIDING else self._found.unclear
            told.append(f"the collection {declared.name} has the option {name}")
        # MongoDB leaves out options that have their default.
        is_there = {"validationLevel": "strict", "validationAction": "error"} | options
        if validated and any(is_there.get(name) != declared.options[name] for name in _VALIDATOR):
            state = "another validator than is declared" if "validator" in options else "no validator"
            self._found.unclear.append(f"the collection {declared.name} has {state}")

    def _indexes(self, declared: Declared, *, required: bool) -> None:
        """Compare the indexes of a collection.

        An operator's own index is none of our business, unless it takes a declared one's name or fields, so that
        queries are given it instead, or refuses or removes rows.
        """
        found = [dict(index) for index in self._db[declared.name].list_indexes() if list(index["key"]) != ["_id"]]
        # Queries name an index by its fields. MongoDB allows several on the same fields that differ in their options:
        # then a query fails, or is given another than ours, so each must be as declared. One with the declared name on
        # other fields keeps the right one from being made.
        for wanted in (*declared.indexes, *declared.search):
            options = {"unique": True} if wanted.unique else {}
            same = [index for index in found if list(index["key"].items()) == wanted.keys]
            for index in same:
                found.remove(index)
                if (has := _effective(index)) != options:
                    what = f"the index {index['name']} of {declared.name} has {_text(has)} instead of {_text(options)}"
                    self._found.mismatches.append(what)
            taken = [index for index in found if index["name"] == wanted.name]
            self._found.mismatches.extend(
                f"the index {wanted.name} of {declared.name} is on other fields: {dict(index['key'])}"
                for index in taken
            )
            if required and wanted in declared.indexes and not same and not taken:
                self._found.unclear.append(f"{declared.name} has no index {wanted.name}")
            found = [index for index in found if index not in taken]
        self._found.unclear.extend(_strangers(declared, found))


def _strangers(declared: Declared, indexes: list[Document]) -> Iterator[str]:
    for index in indexes:
        if harmful := [option for option in _HARMFUL if index.get(option) is not None]:
            yield f"the index {index['name']} of {declared.name} is not declared, and has {', '.join(harmful)}"


def _effective(index: Mapping[str, Any]) -> Document:
    return {name: value for name, value in index.items() if name not in _PLAIN}


def _text(options: Document) -> str:
    return ", ".join(sorted(options)) or "no options"
