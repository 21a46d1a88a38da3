"""What new events are found by: keys that follow from their payloads (formats/search_keys.py)."""

from collections.abc import Sequence
from contextlib import suppress

from eventlog.errors import InvalidError
from eventlog.fields import CE_PREFIX
from eventlog.formats.search_keys import SearchFields, UnindexableError
from eventlog.formats.strict_json import Problem
from eventlog.store.interface import Draft, EventReader
from eventlog.store.search_fields import WriterFields


class Indexer:
    """Gives drafts their keys by the declared search fields."""

    def __init__(self, fields: WriterFields, log: EventReader) -> None:
        self._fields = fields
        self._log = log

    def index_known(self, draft: Draft) -> Draft | None:
        """Give a draft its keys, if that takes no look at the database; None: ``index`` must do it."""
        with suppress(UnindexableError):
            if self._fields.known is not None:
                return _with_keys(draft, self._fields.known)
        return None

    def index(self, draft: Draft) -> Draft:
        """Give a draft its keys; none as long as the registry does not have the declaration.

        Raises:
            InvalidError: a text is too long to be found by, or there are too many values.
            StoreError: the database can't be asked.
        """
        fields = self._fields.find()
        if fields is None:
            return draft
        try:
            return _with_keys(draft, fields)
        except UnindexableError as error:
            # What is stored already has its receipt for ever: fields that were declared since refuse no replay.
            if draft.id_chosen and self._log.get(draft.entry.chain, draft.entry.event_id) is not None:
                return draft
            # A CloudEvent is its payload; of a native event that is one member.
            member = "" if draft.entry.event_id.startswith(CE_PREFIX) else "/payload"
            raise InvalidError([Problem(f"{member}{error.pointer}", str(error))]) from error

    def index_all(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Do what ``index`` does for a batch.

        Raises:
            InvalidError: every item that can't be found by its fields, by its index.
            StoreError: the database can't be asked.
        """
        found: list[Draft] = []
        problems: list[Problem] = []
        for number, draft in enumerate(drafts):
            try:
                found.append(self.index(draft))
            except InvalidError as error:
                problems += [Problem(f"/{number}{each.pointer}", each.detail) for each in error.problems]
        if problems:
            raise InvalidError(problems)
        return found

    def index_accepted(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Give keys to events that were accepted before, which nothing can refuse any more.

        One that fits no more, as the declaration has changed since, has none: searches say that not all is indexed.
        """
        found: list[Draft] = []
        fields = self._fields.find()
        for draft in drafts:
            indexed = draft
            with suppress(UnindexableError):
                indexed = draft if fields is None else _with_keys(draft, fields)
            found.append(indexed)
        return found


def _with_keys(draft: Draft, fields: SearchFields) -> Draft:
    return draft._replace(entry=draft.entry._replace(keys=fields.keys_of(draft.entry.payload)))
