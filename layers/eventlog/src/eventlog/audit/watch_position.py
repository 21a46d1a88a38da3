"""How far the changes of the database were watched: where that is kept, and why it can be believed.

    {_id: "watch", token, time, signature}

It is kept in the database that is watched, so it is signed, for one log and one database. An older one that was put
back only makes the same changes be read again; one that is missing, or that no audit has signed, is a gap.
"""

from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple

from eventlog.anchors.anchoring import Anchoring
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import VerifierKey
from eventlog.formats.times import format_time
from eventlog.store.errors import StoreError
from eventlog.store.interface.audits import POSITION
from eventlog.store.interface.watch import ChangeWatch
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.fields import Fields, date


class WatchPosition(NamedTuple):
    """Up to where the changes were read; ``millis``: by the cluster's clock, since 1970."""

    token: bytes
    millis: int


class WatchStart(NamedTuple):
    """Where the watcher goes on; ``gap`` says which changes nobody has watched, if that is so."""

    token: bytes | None
    since: int | None = None
    gap: str | None = None


class WatchPositions:
    """Keeps the position of one log. Without ``anchoring`` there is no key: it is unsigned, and believed as it is."""

    def __init__(self, watch: ChangeWatch, anchoring: Anchoring | None, name: str) -> None:
        self._watch = watch
        self._anchoring = anchoring
        self._name = name

    def start(self, now: int) -> WatchStart:
        """Read the position. Where nothing was ever anchored a log may be new, so a missing one is no gap."""
        raw = self._watch.position()
        found = None if raw is None else _read(raw)
        if found is not None and self._is_ours(*found):
            return WatchStart(found[0].token, found[0].millis)
        if not self._anything_anchored():
            return WatchStart(None) if found is None else WatchStart(found[0].token, found[0].millis)
        if raw is None:
            because = (
                "nothing says how far they were watched (as once after an update from a version without a watcher)"
            )
        else:
            because = "what says how far they were watched is not signed by this log for this database"
        return WatchStart(None, None, f"changes of the database before {shown(now)} were not watched: {because}")

    def keep(self, position: WatchPosition) -> None:
        """Keep a position.

        Raises:
            StoreError: it can't be signed or stored; the one before stands, and the same changes are read again.
        """
        signature = None
        if self._anchoring is not None:
            signature = self._anchoring.signers[0].sign(watch_message(position, self._name))
        fields = {"_id": POSITION, "token": position.token, "time": date(position.millis), "signature": signature}
        self._watch.keep_position(codec.encode(fields))

    def _is_ours(self, position: WatchPosition, signature: bytes | None) -> bool:
        if self._anchoring is None:
            return True
        for key in self._anchoring.history.public_keys:  # any trusted key: it may be from before a change of keys
            with suppress(EvidenceError):
                VerifierKey("audit", key).verify(watch_message(position, self._name), signature or b"")
                return True
        return False

    def _anything_anchored(self) -> bool:
        if self._anchoring is None:
            return False
        try:
            return next(iter(self._anchoring.anchors.chains()), None) is not None
        except StoreError:
            return True


def watch_message(position: WatchPosition, name: str) -> bytes:
    """Build what is signed of a position: of the log and database of this ``name``."""
    signed = {"log": name, "token": position.token, "time": date(position.millis)}
    return f"eventlog/watch/v1\nposition {sha256(codec.encode(signed)).hexdigest()}\n".encode()


def shown(millis: int) -> str:
    """Write a time for a person."""
    return format_time(millis)


def _read(raw: bytes) -> tuple[WatchPosition, bytes | None] | None:
    """Read a stored position and its signature; None if it is none."""
    try:
        fields = Fields(codec.decode(raw))
        return WatchPosition(fields.get("token", bytes), fields.date("time")), fields.maybe("signature", bytes)
    except NotOursError:
        return None
