"""The declarations of search fields, as events of the registry: which there ever were, and which is in force."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import orjson

from eventlog.chain_names import OWN_PREFIX, REGISTRY
from eventlog.formats.event import Event
from eventlog.formats.name_filter import NameFilter
from eventlog.formats.search_keys import DeclarationError, SearchFields
from eventlog.store.errors import StoreError
from eventlog.store.interface import EventReader, Position, Query

DECLARED = f"{OWN_PREFIX}search_fields"
"""The type of the events that declare search fields; their ids are this, a ``-`` and the version."""
_PAGE = 1000
_AGAIN_SECONDS = 5.0


class DeclaredFields:
    """Reads the declarations; ``log`` gives the log anew for each use, as a process may connect again.

    No declaration is ever changed, so what was read is kept, and read again only for what is not among it.
    """

    def __init__(self, log: Callable[[], EventReader]) -> None:
        self._log = log
        self._versions: dict[int, SearchFields] = {}
        self._read_at: float | None = None

    def versions(self, seconds: float = 0.0) -> list[SearchFields]:
        """Return all versions by their number, the one in force last; as they were at most so many seconds ago.

        Raises:
            StoreError: the registry can't be read.
        """
        if self._read_at is None or time.monotonic() - self._read_at >= seconds:
            self._read_at = time.monotonic()  # also of a read that fails: it is not tried again by every request
            self._versions |= {each.version: each for each in _read(self._log())}
        return [self._versions[version] for version in sorted(self._versions)]

    def rule(self, version: int) -> SearchFields | None:
        """Return a version; None: there is none of this number.

        Raises:
            StoreError: the registry can't be read.
        """
        if version not in self._versions:
            self.versions()
        return self._versions.get(version)

    def newest(self) -> SearchFields | None:
        """Return the version in force, as it was some seconds ago; None: nothing was ever declared.

        Raises:
            StoreError: the registry can't be read.
        """
        found = self.versions(_AGAIN_SECONDS)
        return found[-1] if found else None


class WriterFields:
    """What a process derives keys by: its own declaration, once the registry has it.

    Until then its events have none: whoever reads the registry must find every rule there that keys were made by. It
    looks again every few seconds, and never once it was found.
    """

    def __init__(self, own: SearchFields, declared: DeclaredFields) -> None:
        self._own = own
        self._declared = declared

    @property
    def known(self) -> SearchFields | None:
        """What to derive keys by, if that was found already."""
        return self._own if self._own.version else None

    def find(self) -> SearchFields | None:
        """Return what to derive keys by; None: the registry does not have it yet, or can't be read.

        A registry that can't be read stops no append: that would be a way to silence the log.
        """
        if self.known is None:
            found: list[SearchFields] = []
            with suppress(StoreError):
                found = [each for each in self._declared.versions(_AGAIN_SECONDS) if each.fields == self._own.fields]
            if found:
                self._own = found[-1]
        return self.known


def _read(log: EventReader) -> list[SearchFields]:
    """Read all declarations of the registry; what no version of the log wrote is left out."""
    found: list[SearchFields] = []
    query = Query(chain=REGISTRY, order="asc", event_types=NameFilter(frozenset({DECLARED})), limit=_PAGE)
    while True:
        page = log.page(query)
        for event in page.events:
            if (declared := _declared(event)) is not None:
                found.append(declared)
        if not page.more:
            return found
        last = page.events[-1]
        query = replace(query, size=page.size, after=Position(last.entry.timestamp, last.seq))


def _declared(event: Event) -> SearchFields | None:
    try:
        declared = SearchFields.of(orjson.loads(event.entry.payload))
    except (DeclarationError, ValueError):
        return None
    return declared if event.entry.event_id == declaration_id(declared.version) else None


def declaration_id(version: int) -> str:
    """Return the id of the event that declares a version."""
    return f"{DECLARED}-{version}"
