"""Errors about what a client sent. Each carries problems: a pointer to the field and a sentence about it."""

from collections.abc import Sequence

from eventlog.formats.strict_json import Problem
from eventlog.store.errors import IdConflictError, IdErasedError
from eventlog.store.interface import Draft


class InputError(Exception):
    """Base: the client's input was refused; nothing was stored."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.pointer or '/'}: {p.detail}" for p in problems))
        self.problems = problems


class InvalidError(InputError):
    """A field has a value that is not allowed (422)."""


class TooLargeError(InputError):
    """More than the limits allow (413)."""


class UnsupportedError(InputError):
    """A media type or encoding that is not accepted here (415)."""


class EncodedError(UnsupportedError):
    """A content coding, such as gzip; none is accepted (415)."""


class NotFoundError(Exception):
    """There is no such thing (404); the text says what was looked for."""


def unknown_audit(audit_id: str) -> NotFoundError:
    """Make the error for a report that does not exist, or that the caller may not see."""
    return NotFoundError(f"There is no audit {audit_id}.")


def unknown_event(event_id: str, chain: str) -> NotFoundError:
    """Make the error for an event that does not exist, or that the caller may not see."""
    return NotFoundError(f"There is no event {event_id} in chain {chain}.")


def unknown_checkpoint(chain: str, size: int | None) -> NotFoundError:
    """Make the error for a checkpoint, of any or of this size, that does not exist or that the caller may not see."""
    return NotFoundError(f"There is no checkpoint of chain {chain}{'' if size is None else f' at size {size}'}.")


class BatchConflictError(IdConflictError):
    """Events of a batch exist with other content; ``problems`` names them by their index."""

    def __init__(self, ids: list[str], drafts: Sequence[Draft]) -> None:
        super().__init__(ids)
        where = {draft.entry.event_id: index for index, draft in enumerate(drafts)}
        self.problems = [Problem(f"/{where[name]}/event_id", f"{name} exists with other content") for name in ids]


class BatchErasedError(IdErasedError):
    """Events of a batch have ids of erased events; ``problems`` names them by their index."""

    def __init__(self, ids: list[str], drafts: Sequence[Draft]) -> None:
        super().__init__(ids)
        where = {draft.entry.event_id: index for index, draft in enumerate(drafts)}
        self.problems = [Problem(f"/{where[name]}/event_id", f"the event {name} was erased") for name in ids]


class ConflictError(InputError):
    """What is asked for contradicts what is there (409); ``text`` says so in one sentence. Nothing was stored."""

    def __init__(self, problems: list[Problem], text: str) -> None:
        super().__init__(problems)
        self.text = text

    def __str__(self) -> str:
        return self.text


class NotSetUpError(Exception):
    """This log was not set up to do that (501); the text says what to set."""
