"""What the store can answer instead of a result, named for what the caller can do."""


class StoreError(Exception):
    """Base of everything the store raises."""


class StoreUnavailableError(StoreError):
    """Not done, or not known to be done: try again later. Nothing was acknowledged."""


class CredentialsRefusedError(StoreUnavailableError):
    """MongoDB refuses the user or the password: others may be found where these came from. Nothing was done."""


class UnusableURIError(StoreError):
    """A connection string that no client can be made of. The text shows nothing of it, as it holds a password."""


class IdConflictError(StoreError):
    """Event ids that exist with other content; ``ids`` names them. Nothing was stored."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__(f"event ids exist with other content: {', '.join(ids)}")
        self.ids = ids


class IdErasedError(IdConflictError):
    """Event ids whose events were erased: whether the content is the same can't be told. Nothing was stored."""

    def __str__(self) -> str:
        return f"the events with these ids were erased: {', '.join(self.ids)}"


class LimitError(StoreError):
    """One caller has all that one caller may have. Nothing was done, and others are served.

    The text names the limit; ``retry_after`` says in how many seconds it is worth trying again.
    """

    def __init__(self, text: str, retry_after: int) -> None:
        super().__init__(text, retry_after)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.args[0])


class ChainLostError(StoreUnavailableError):
    """A chain has events but its sequence document is gone: nothing can be appended until it is restored."""


class AnchorsUnavailableError(StoreUnavailableError):
    """The place where anchors are kept does not say whether an anchor is there."""


class QueueUnavailableError(StoreUnavailableError):
    """A queue did not say that it has the message: it may have it or not."""


class TooManyEventsError(StoreError):
    """There are more events than can be counted for one answer; the text says which limit it is."""


class TooManyNamesError(StoreError):
    """More types and sources fit than one answer can have; ``field`` is the one to ask for fewer of."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class MessageTooLargeError(StoreError):
    """A queue takes no message of this size."""


class SigningError(StoreUnavailableError):
    """A key can't be had or does not sign: nothing was signed."""


class CorruptionError(StoreError):
    """Stored data contradicts what was acknowledged; only an audit and a person can go on."""


class HistoryLostError(StoreError):
    """The database's record of its changes does not reach back so far, or can't be read from there."""


class CannotWatchError(StoreError):
    """The database lets nobody of this role, or nobody at all, read its changes; the text says why."""
