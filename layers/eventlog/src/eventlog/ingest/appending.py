"""Drafts are appended: one alone, or all of a batch or none."""

from collections.abc import Callable, Sequence

from eventlog.errors import BatchConflictError, BatchErasedError
from eventlog.store.errors import IdConflictError, IdErasedError
from eventlog.store.group_commit import GroupCommit
from eventlog.store.interface import Draft, Placed

_KNOWN_CHAINS = 10_000
"""Names of chains that a process remembers to exist."""


class Ingest:
    """Appends to the log together with what others append at the same time.

    ``open_chain`` creates a chain for a caller if need be, or refuses to; None: whoever appends later creates it.
    """

    def __init__(self, log: GroupCommit, open_chain: Callable[[str, str], None] | None = None) -> None:
        self._log = log
        self._open_chain = open_chain
        self._known: set[str] = set()

    def check_chain(self, draft: Draft) -> None:
        """Make sure that a draft's chain exists before the draft is accepted, as nobody is there to refuse it later.

        The database is asked once for each chain, as chains are never removed.

        Raises:
            LimitError: the caller may not create one more chain today.
            StoreUnavailableError: the database can't be asked.
        """
        chain = draft.entry.chain
        if self._open_chain is None or chain in self._known:
            return
        # Only a chain that is there is remembered: a refused one is asked for again. Whatever callers name, the memory
        # has a bound; to forget all at once costs one round trip for each chain that is still used.
        self._open_chain(chain, draft.entry.principal)
        if len(self._known) >= _KNOWN_CHAINS:
            self._known.clear()
        self._known.add(chain)

    def one(self, draft: Draft) -> Placed:
        """Append one event, and wait in the calling thread until that is done.

        Raises:
            IdErasedError: the event with this id was erased.
            IdConflictError: an event with this id exists with other content.
            StoreError: see ``EventStore.append``.
        """
        return self._log.append(draft.entry.chain, [draft])[0]

    async def one_async(self, draft: Draft) -> Placed:
        """Append one event as ``one`` does, for a coroutine: another thread waits."""
        return (await self._log.append_async(draft.entry.chain, [draft]))[0]

    def batch(self, drafts: Sequence[Draft]) -> list[Placed]:
        """Append events of one chain with distinct ids in their order, or none of them.

        Raises:
            BatchErasedError: events with some of these ids were erased.
            BatchConflictError: events with some of these ids exist with other content.
            StoreError: see ``EventStore.append``.
        """
        try:
            return self._log.append(drafts[0].entry.chain, drafts)
        except IdErasedError as error:
            raise BatchErasedError(error.ids, drafts) from error
        except IdConflictError as error:
            raise BatchConflictError(error.ids, drafts) from error
