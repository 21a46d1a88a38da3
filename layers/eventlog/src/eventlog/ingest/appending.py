"""Ingest: values become drafts, drafts are appended, all or none."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from eventlog.clock import now_millis
from eventlog.errors import BatchConflictError, InputError, InvalidError, TooLargeError
from eventlog.formats.strict_json import Problem
from eventlog.ingest.submission import MAX_BATCH, check_batch
from eventlog.store.errors import IdConflictError
from eventlog.store.group_commit import GroupCommit
from eventlog.store.interface import Draft, Placed


class MakeDraft(Protocol):
    """``native_draft`` or ``cloudevents.draft``."""

    def __call__(self, value: Any, *, chain: str | None, principal: str, received_at: int) -> Draft: ...


class Ingest:
    """Appends what clients submit."""

    def __init__(self, log: GroupCommit, clock: Callable[[], int] = now_millis) -> None:
        self._log = log
        self._clock = clock

    def draft(self, make: MakeDraft, value: Any, *, chain: str | None, principal: str) -> Draft:
        """Check one event, which is received now.

        Raises:
            InputError
        """
        return make(value, chain=chain, principal=principal, received_at=self._clock())

    async def one(self, draft: Draft) -> Placed:
        """Append one event.

        Raises:
            StoreError
        """
        return (await self._log.append_async(draft.entry.chain, [draft]))[0]

    def batch(self, make: MakeDraft, values: Sequence[Any], *, chain: str | None, principal: str) -> list[Placed]:
        """Append up to 500 events of one chain in order, or none; every bad item is named by its index.

        Raises:
            InputError, StoreError
        """
        if not values:
            raise InvalidError([Problem("", "the batch is empty")])
        if len(values) > MAX_BATCH:
            raise TooLargeError([Problem("", f"{len(values)} events; at most {MAX_BATCH} are allowed")])
        received_at = self._clock()
        drafts: list[Draft] = []
        failures: list[InputError] = []
        for index, value in enumerate(values):
            try:
                drafts.append(make(value, chain=chain, principal=principal, received_at=received_at))
            except InputError as error:
                moved = [Problem(f"/{index}{p.pointer}", p.detail) for p in error.problems]
                failures.append(type(error)(moved))
        if failures:
            kind = InvalidError if any(isinstance(f, InvalidError) for f in failures) else TooLargeError
            raise kind([problem for failure in failures for problem in failure.problems])
        check_batch(drafts)
        try:
            return self._log.append(drafts[0].entry.chain, drafts)
        except IdConflictError as error:
            raise BatchConflictError(error.ids, drafts) from error
