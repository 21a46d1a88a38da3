"""Which changes of a collection's settings are honest: its options, its validator, its indexes.

What an operator does to bring a database to its declared state (``schema.py``) changes no row and hides none.
"""

from collections.abc import Callable, Mapping
from typing import Any

from eventlog.store.mongo.indexes import Index
from eventlog.store.mongo.schema import Declared

_ANOTHER_COLLECTION = frozenset(
    {
        "capped",
        "cappedMax",
        "cappedSize",
        "clusteredIndex",
        "collation",
        "expireAfterSeconds",
        "max",
        "pipeline",
        "size",
    }
    | {"timeseries", "viewOn"}
)
"""Options with which queries return something else, or rows go by themselves."""
_ANOTHER_INDEX = frozenset({"collation", "expireAfterSeconds", "hidden", "partialFilterExpression", "sparse"})
"""Options with which an index leaves rows out, finds others, can't be used or removes rows."""
_HIDES_NOTHING = frozenset(
    {"changeStreamPreAndPostImages", "idIndex", "validator", "validationLevel", "validationAction"}
)
_SHOWN = 200
"""Characters of a name that are shown."""
_Verdict = tuple[bool, str]
"""Whether it is wrong for certain, and what was done; without words it is fine."""
_FINE: _Verdict = (False, "")


def judge_setting(operation: str, declared: Declared, described: Mapping[str, Any]) -> _Verdict | None:
    """Judge a change of a collection's settings; None: this version does not know what the operation is."""
    rule = _SETTINGS.get(operation)
    return None if rule is None else rule(declared, described)


def _created(declared: Declared, options: Mapping[str, Any]) -> _Verdict:
    """Judge ``create``: as declared, or plain, as the first insert makes it where nobody has run ``make db-setup``."""
    return _options(declared, options, "it was made anew with")


def _modified(declared: Declared, options: Mapping[str, Any]) -> _Verdict:
    """Judge ``collMod``: of an index or of options."""
    if "index" in options:
        return _modified_index(declared, options["index"])
    return _options(declared, options, "it was changed in")


def _options(declared: Declared, options: Mapping[str, Any], what: str) -> _Verdict:
    """Judge options of a collection; what a later server may have more is not known to be wrong."""
    if other := sorted(options.keys() & _ANOTHER_COLLECTION):
        return True, f"{what} {', '.join(other)}"
    if unknown := sorted(options.keys() - _HIDES_NOTHING):
        return False, f"{what} {', '.join(unknown)}, which this version does not know"
    return _validator(declared, options)


def _validator(declared: Declared, options: Mapping[str, Any]) -> _Verdict:
    """Judge the rules for its documents, which another version of the log may declare in another way.

    No version declares none at all, or one without a schema, or one that is not enforced.
    """
    given = {name: value for name, value in options.items() if name.startswith("valid")}
    if all(declared.options[name] == value for name, value in given.items()):
        return _FINE
    schema = "validator" not in given or "$jsonSchema" in (given["validator"] or {})
    enforced = given.get("validationLevel") != "off" and given.get("validationAction") != "warn"
    if schema and enforced:
        return False, "its validator was changed to one that this version does not declare"
    return True, "its validator was removed or changed to one that no version declares"


def _modified_index(declared: Declared, change: Mapping[str, Any]) -> _Verdict:
    """Judge a change of one index: of a declared one, any but to show it again; of others, only an expiry."""
    index = _declared_index(declared, change)
    options = {name: value for name, value in change.items() if name not in {"name", "keyPattern"}}
    if (index is None and "expireAfterSeconds" not in options) or options == {"hidden": False}:
        return _FINE
    return True, f"the index {str(change.get('name'))[:_SHOWN]} was changed ({', '.join(sorted(options))})"


def _created_indexes(declared: Declared, described: Mapping[str, Any]) -> _Verdict:
    """Judge ``createIndexes``: none under a declared name or on declared fields may differ, and none may remove rows.

    Another index is an operator's business: no query of the log uses it.
    """
    for found in described.get("indexes") or []:
        index = _declared_index(declared, found)
        if "expireAfterSeconds" in found or (index is not None and not _is_as_declared(index, found)):
            return True, f"the index {str(found.get('name'))[:_SHOWN]} was made, and is none that is declared"
    return _FINE


def _dropped_indexes(declared: Declared, described: Mapping[str, Any]) -> _Verdict:
    """Judge ``dropIndexes``: only one that is as declared may not go. One that differs is dropped to be put right."""
    for found in described.get("indexes") or []:
        index = _declared_index(declared, found)
        # Without an index of search fields, searches that need it fail; none is answered from another.
        if index is not None and index not in declared.search and _is_as_declared(index, found):
            return True, f"the index {index.name} was dropped"
    return _FINE


def _declared_index(declared: Declared, found: Mapping[str, Any]) -> Index | None:
    """Find the declared index that has this one's name or its fields."""
    fields = tuple(found.get("key") or found.get("keyPattern") or ())
    return next(
        (
            index
            for index in (*declared.indexes, *declared.search)
            if index.name == found.get("name") or index.fields == fields
        ),
        None,
    )


def _is_as_declared(index: Index, found: Mapping[str, Any]) -> bool:
    """Whether an index has the declared fields and serves as the declared one does; its name is free."""
    same = list((found.get("key") or {}).items()) == index.keys and bool(found.get("unique")) == index.unique
    return same and not any(found.get(option) for option in _ANOTHER_INDEX)


_SETTINGS: dict[str, Callable[[Declared, Mapping[str, Any]], _Verdict]] = {
    "create": _created,
    "modify": _modified,
    "createIndexes": _created_indexes,
    "dropIndexes": _dropped_indexes,
}
