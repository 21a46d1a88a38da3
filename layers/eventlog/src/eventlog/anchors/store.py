"""The contract of a place outside the database where anchors are kept."""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from eventlog.formats.note import MAX_NOTE

MAX_READ = MAX_NOTE + 1
"""Bytes of an object that a read returns at most: one more than a note may have."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,80}")


class AnchorStore(Protocol):
    """Objects that are created once, under a chain and a key, and never changed.

    Consistency: what ``create`` has made is there for every later call of every process.

    Concurrency: of callers that race for one key exactly one creates it, and no caller ever sees a part of an object.

    Durability: an object is on disk, or stored by the service, when ``create`` returns, whether it made it or found it.

    Trust: none. Objects may be missing or have any content if somebody tampered with the store: readers verify.

    Names are ``[a-z0-9][a-z0-9._-]{0,80}``; under any other name there is nothing. Calls, and iterators while they are
    read, raise AnchorsUnavailableError if they can't say what is there.
    """

    def chains(self) -> Iterator[str]:
        """Iterate over the chains that have objects, each once, in any order."""
        ...

    def keys(self, chain: str, after: str = "") -> Iterator[str]:
        """Iterate over the keys of a chain's objects that come after ``after``, in order (of ASCII)."""
        ...

    def read(self, chain: str, key: str) -> bytes | None:
        """Read an object, cut to ``MAX_READ`` bytes.

        None if there is none; empty if what is there can't be read at all, such as a directory in a file's place.
        """
        ...

    def pack_of(self, chain: str, key: str) -> int | None:
        """Return the number of the pack that has this object (``anchors/packed.py``); None: it is one of its own."""
        ...

    def create(self, chain: str, key: str, data: bytes) -> bool:
        """Create an object. False: there is one; it may be this very one, if an answer was lost on the way.

        Raises:
            AnchorsUnavailableError: it may be there or not.
            ValueError: it is no name that a chain or a key can have.
        """
        ...


def is_name(name: str) -> bool:
    """Whether it can be the name of a chain or a key."""
    return _NAME.fullmatch(name) is not None


def names(found: Iterable[str]) -> Iterator[str]:
    """Leave out what can't be a name: whatever else lies in a store is not ours."""
    return filter(is_name, found)


def check_names(chain: str, key: str) -> None:
    """Refuse what can't be the name of a chain or a key.

    Raises:
        ValueError: naming it.
    """
    for name in (chain, key):
        if not is_name(name):
            raise ValueError(f"{name[:100]!r} can't be the name of an anchor or its chain")
