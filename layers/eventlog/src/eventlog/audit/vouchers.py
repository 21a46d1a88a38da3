"""Vouchers: what audits store to go on from later is signed, with the time, by the log's own key.

An audit keeps its state in the database that it audits. So it believes that state only if a trusted key has signed it,
and not long ago: whoever can write to the database can make no voucher, and can put an old one back only for so long.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from eventlog.anchors.anchoring import Anchoring
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import VerifierKey
from eventlog.store.errors import StoreError
from eventlog.stored.fields import Fields, date

FUTURE_MILLIS = 300_000
"""How far another process's clock may be ahead of ours."""

DEFAULT_HOURS = 48
"""How old a voucher may be, and a full round, unless a setting says otherwise: two intervals of the full audit."""

SignedText = Callable[[int], bytes]
"""What is signed, given the time in milliseconds since 1970."""


class Voucher(NamedTuple):
    """When something was signed, in milliseconds since 1970, and the signature."""

    time: int
    signature: bytes


class Vouchers:
    """Makes and checks vouchers; without ``anchoring`` nothing is signed, and everything is believed.

    ``clock`` gives milliseconds. A voucher older than ``max_age`` milliseconds, or of the future, counts as none.
    """

    def __init__(self, anchoring: Anchoring | None, clock: Callable[[], int], max_age: int) -> None:
        self._anchoring = anchoring
        self._clock = clock
        self.max_age = max_age

    def sign(self, message: SignedText) -> Voucher | None:
        """Sign a message with the time; None: nothing is anchored, or the key does not sign."""
        if self._anchoring is not None:
            now = self._clock()
            with suppress(StoreError):
                return Voucher(now, self._anchoring.signers[0].sign(message(now)))
        return None

    def refusal(self, message: SignedText, voucher: Voucher | None) -> str | None:
        """Say why what is stored can't be believed; None: it can."""
        if self._anchoring is None:
            return None
        try:
            signed = self.is_signed(message, voucher)
        except StoreError as error:
            return f"whether an audit has signed it is not known: {error}"
        if voucher is None or not signed:
            return "no audit has signed it"
        # The signature holds, so the time is what an audit wrote. Who puts an old state back is found out by it.
        age = self._clock() - voucher.time
        if age < -FUTURE_MILLIS:
            return "it was signed in the future"
        return None if age <= self.max_age else "it was signed too long ago"

    def is_signed(self, message: SignedText, voucher: Voucher | None) -> bool:
        """Whether an audit has signed what is stored, however long ago.

        Raises:
            StoreError: a key can't be asked for.
        """
        if self._anchoring is None or voucher is None:
            return False
        # Any trusted key will do: it may have been signed before a change of keys.
        return any(_is_signed(key, message, voucher) for key in self._anchoring.history.public_keys)


def voucher_fields(voucher: Voucher | None) -> dict[str, Any]:
    """Write a voucher as the fields of the document that it vouches for; none if there is none."""
    return {} if voucher is None else {"voucher": voucher.signature, "vouched_at": date(voucher.time)}


def voucher_in(document: dict[str, Any]) -> Voucher | None:
    """Read the voucher in a decoded document; None if there is none, or one without a time, as early versions wrote.

    Raises:
        NotOursError: a field is of another type.
    """
    fields = Fields({"voucher": None, "vouched_at": None} | document)
    signature, time = fields.maybe("voucher", bytes), fields.maybe_date("vouched_at")
    return None if signature is None or time is None else Voucher(time, signature)


def _is_signed(key: bytes, message: SignedText, voucher: Voucher) -> bool:
    try:
        VerifierKey("audit", key).verify(message(voucher.time), voucher.signature)
    except EvidenceError:
        return False
    return True
