"""How far the changes of the database were watched: where that is kept, and why it can be believed.

    {_id: "watch", token, time, signature}

It is kept in the database that is watched, so it is signed, for one log and one database. An older one that was put
back only makes the same changes be read again. So does one that is missing, or that no audit has signed: all is read
since the first anchor, whose time is signed and stands outside the database.
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
    """Where the watcher goes on: at a token, else at a time; without either now. ``gap``: what has to be told of it."""

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
        """Read the position, or find where else to begin. ``now``: milliseconds since 1970."""
        raw = self._watch.position()
        found = None if raw is None else _read(raw)
        if found is not None and self._is_ours(*found):
            return WatchStart(found[0].token, found[0].millis)
        # Where nothing was ever anchored the log may be new, so it is no gap that nobody has watched it.
        if self._anchoring is None or not _anything_in(self._anchoring):
            return WatchStart(None) if found is None else WatchStart(found[0].token, found[0].millis)
        # An audit that somebody asked for may have made the first anchor before any round of the schedule began to
        # watch; or somebody has removed the position. Either way nothing is lost if all is read since that anchor.
        since = self._anchoring.history.first_time()
        again = "nothing is" if since is None else f"those since {shown(since)} are"
        if raw is not None:
            unsigned = "how far changes of the database were watched is not signed by this log for this database"
            return WatchStart(None, since, f"{unsigned}, and {again} read again")
        if since is None:
            because = "nothing says how far they were watched, nor when the first anchor was made"
            return WatchStart(None, None, f"changes of the database before {shown(now)} were not watched: {because}")
        return WatchStart(None, since)

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


def _anything_in(anchoring: Anchoring) -> bool:
    try:
        return next(iter(anchoring.anchors.chains()), None) is not None
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
