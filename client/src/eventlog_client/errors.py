"""Errors between a client and a log, one class for each thing that a caller can do about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class ClientError(Exception):
    """Base of this package's errors; the text is one sentence for the user."""


class UnreachableError(ClientError):
    """The log did not answer, or kept saying that it can't now, after all retries. Try again later."""


class InsecureError(ClientError):
    """A token would go where others could read it. Use https, or a tunnel; nothing was sent."""


class UnexpectedAnswerError(ClientError):
    """The answer is not one of this API: another service, a proxy or another version is at this URL."""


class StateError(ClientError):
    """The state file can't be used: it is damaged, or belongs to another log or key."""


class FileChangedError(ClientError):
    """A file is not in the form it was written in: an editor or a transfer changed it, or it is another kind of file.

    That says nothing about the log. Get the file again, or undo the change that the text names.
    """


class KeyNeededError(ClientError):
    """A pinned key is needed that was not given."""


class NotWitnessedError(ClientError):
    """A checkpoint lacks cosignatures that the policy asks for; the text says which.

    That is no misconduct: a witness may be away, or was not asked yet. Don't rely on what the checkpoint covers.
    """

    def __init__(self, lack: str) -> None:
        super().__init__(f"not witnessed: {lack}")


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing that is wrong with a request: an RFC 6901 pointer to it and a sentence."""

    pointer: str
    detail: str


class RefusedError(ClientError):
    """The log refused the request; ``status``, ``title``, ``detail`` and ``errors`` are its problem document's."""

    def __init__(self, status: int, title: str, detail: str, errors: Sequence[FieldProblem] = ()) -> None:
        places = "; ".join(f"{error.pointer or '/'}: {error.detail}" for error in errors[:3])
        super().__init__(f"refused with {status} {title}: {detail or title}{f' ({places})' if places else ''}")
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)


class LogMisbehavedError(ClientError):
    """The log said something that can't be true; ``evidence`` holds the documents that show it.

    The documents are requests, receipts, events and proofs (as the API shows them), and checkpoints (note text).
    Keep them: they may be the only proof that can be shown to others.
    """

    def __init__(self, finding: str, evidence: Sequence[Any] = ()) -> None:
        super().__init__(finding)
        self.evidence = list(evidence)
