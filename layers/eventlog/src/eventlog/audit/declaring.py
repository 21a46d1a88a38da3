"""Declares the search fields that are set: a new version in the registry, once, before anything is found by it."""

from collections.abc import Callable
from dataclasses import replace

from eventlog.anchors.registry import Registry
from eventlog.chain_names import REGISTRY
from eventlog.formats.search_keys import NO_FIELDS, SearchFields
from eventlog.store.interface import EventStore
from eventlog.store.search_fields import DECLARED, DeclaredFields, declaration_id


class Declaring:
    """Writes the declaration of ``own`` fields. ``make_indexes`` makes the indexes that searches by them need."""

    def __init__(
        self, store: EventStore, own: SearchFields, make_indexes: Callable[[], None], clock: Callable[[], int]
    ) -> None:
        self._registry = Registry(store, clock)
        self._declared = DeclaredFields(lambda: store)
        self._own = own
        self._make_indexes = make_indexes
        self._done = False

    def declare(self) -> None:
        """Write the next version if the newest one says something else; none at all of what was never declared.

        Only the audit does so. It is one process at a time, as a rule; two that do it at once write the same id, and
        the second one is refused, or finds it there.

        Raises:
            StoreError: it is not known to be declared; to call again is safe.
        """
        if self._done:
            return
        versions = self._declared.versions()
        newest = versions[-1] if versions else NO_FIELDS
        if self._own:  # before the first event has keys; an operator's setup may have made them
            self._make_indexes()
        if newest.fields != self._own.fields:
            new = replace(self._own, version=newest.version + 1)
            self._registry.write(REGISTRY, declaration_id(new.version), DECLARED, new.document())
        self._done = True
