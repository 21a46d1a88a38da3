"""Checks of decoded documents: fields with their types, names of chains, hashes with their length."""

from collections.abc import Mapping
from typing import Any

from eventlog.formats.hashing import HASH_SIZE
from eventlog.formats.names import is_chain_name
from eventlog.stored.errors import NotOursError


def check_types(document: Any, types: Mapping[str, type]) -> None:
    """Check that the fields are there with these types.

    Raises:
        NotOursError: naming the first that is not.
    """
    if not isinstance(document, dict):
        raise NotOursError(f"not a document but {type(document).__name__}")
    for name, kind in types.items():
        if name not in document:
            raise NotOursError(f"{name} is missing")
        if type(document[name]) is not kind:
            raise NotOursError(f"{name} is of type {type(document[name]).__name__}")


def check_chain(name: str) -> None:
    """Check that this can be the name of a chain, so that a slash after it is where it ends.

    Raises:
        NotOursError: it can't.
    """
    if not is_chain_name(name):
        raise NotOursError("chain is no name that a chain can have")


def hash_at(document: Mapping[str, Any], name: str) -> bytes:
    """Read a hash whose type was checked.

    Raises:
        NotOursError: it has another length.
    """
    value: bytes = document[name]
    if len(value) != HASH_SIZE:
        raise NotOursError(f"{name} has {len(value)} bytes, not {HASH_SIZE}")
    return value


def hashes_at(document: Mapping[str, Any], name: str) -> tuple[bytes, ...]:
    """Read a list of hashes.

    Raises:
        NotOursError: something in it is no hash.
    """
    for item in document[name]:
        if type(item) is not bytes or len(item) != HASH_SIZE:
            raise NotOursError(f"{name} holds something that is no hash")
    return tuple(document[name])
