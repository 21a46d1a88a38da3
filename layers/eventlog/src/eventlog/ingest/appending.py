"""Drafts are appended: one alone, or all of a batch or none."""

from collections.abc import Sequence

from eventlog.errors import BatchConflictError
from eventlog.store.errors import IdConflictError
from eventlog.store.group_commit import GroupCommit
from eventlog.store.interface import Draft, Placed


class Ingest:
    """Appends to the log together with what others append at the same time."""

    def __init__(self, log: GroupCommit) -> None:
        self._log = log

    async def one(self, draft: Draft) -> Placed:
        """Append one event.

        Raises:
            IdConflictError: an event with this id exists with other content.
            StoreError: see ``EventStore.append``.
        """
        return (await self._log.append_async(draft.entry.chain, [draft]))[0]

    def batch(self, drafts: Sequence[Draft]) -> list[Placed]:
        """Append events of one chain with distinct ids in their order, or none of them.

        Raises:
            BatchConflictError: events with some of these ids exist with other content.
            StoreError: see ``EventStore.append``.
        """
        try:
            return self._log.append(drafts[0].entry.chain, drafts)
        except IdConflictError as error:
            raise BatchConflictError(error.ids, drafts) from error
