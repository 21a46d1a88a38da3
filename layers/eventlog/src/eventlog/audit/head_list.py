"""Where the audit keeps what it knows of the heads of all chains, and why it can believe it (``stored/heads.py``).

The list is in the database that is audited. It is signed, with the time, and it is for one commitment of the registry,
which is anchored: only the list for the newest one is believed, or the one that was to follow it.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.registry import REGISTRY
from eventlog.audit.vouchers import Vouchers, voucher_fields, voucher_in
from eventlog.formats.errors import EvidenceError
from eventlog.formats.heads import ANCHORED, Commitment, HeadTree, verify_commitment
from eventlog.formats.name_filter import NameFilter
from eventlog.store.interface import EventReader, Position, Query
from eventlog.store.interface.heads import HeadStore
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.heads import KnownHeads, encode_heads, read_heads
from eventlog.verify.findings import Finding

_UNSIGNED = {"voucher", "vouched_at"}
_COMMITMENTS = Query(chain=REGISTRY, event_types=NameFilter(frozenset({ANCHORED})), limit=1)
"""The newest first."""
_TRIES = 20
"""Commitments that are read at most to find one that can be believed."""
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Believed:
    """A list that can be believed, and the commitment that it is for; None: it was not committed to."""

    known: KnownHeads
    last: Commitment | None


class HeadList:
    """Keeps the list of one log."""

    def __init__(
        self,
        store: HeadStore,
        log: EventReader,
        anchoring: Anchoring | None,
        vouchers: Vouchers,
        *,
        origin: str,
    ) -> None:
        # Keys are asked of the anchoring each time, as they may change.
        self._store = store
        self._log = log
        self._anchoring = anchoring
        self._vouchers = vouchers
        self._origin = origin
        self.signed: KnownHeads | None = None
        """What was read last, if an audit has signed it, however long ago; None: nothing, or no audit has."""

    def read(self) -> Believed | None:
        """Read the list; None if there is none that can be believed: then every chain is audited.

        Raises:
            StoreError: the database or a key can't be reached.
        """
        self.signed = None
        raw = None if self._anchoring is None else self._store.get()
        if raw is None or self._anchoring is None:
            return None
        public = self._anchoring.history.public_keys
        # Whether an audit has written it, the signature says. Whether it is the newest, the registry does.
        with suppress(NotOursError, EvidenceError):
            document = codec.decode(raw)
            known = read_heads(document)
            if self._vouchers.is_signed(partial(heads_message, raw, self._origin), voucher_in(document)):
                self.signed = known
            if not self._vouchers.refusal(partial(heads_message, raw, self._origin), voucher_in(document)):
                return self._placed(known, self._newest(public))
        return None

    def save(self, known: KnownHeads) -> None:
        """Sign the list and keep it.

        Raises:
            StoreError: it can't be stored.
        """
        voucher = self._vouchers.sign(partial(heads_message, encode_heads(known, {}), self._origin))
        self._store.save(encode_heads(known, voucher_fields(voucher)))

    def forged(self, *, whole: bool) -> Iterator[Finding]:
        """Report commitments in the registry that no key of the log has signed; ``whole``: of all, else the newest.

        Raises:
            StoreError: the registry or a key can't be reached.
        """
        if self._anchoring is None:
            return
        public, query, more = self._anchoring.history.public_keys, replace(_COMMITMENTS), True
        while more:
            page = self._log.page(replace(query, limit=_PAGE if whole else 1))
            for event in page.events:
                try:
                    verify_commitment(event.entry, self._origin, public)
                except EvidenceError as error:
                    detail = f"{event.entry.event_id} is no commitment of this log: {error}"
                    yield Finding("checkpoint_invalid", event.seq, None, None, detail)
                query = replace(query, after=Position(event.entry.timestamp, event.seq))
            more = whole and page.more

    def _newest(self, public: Sequence[bytes]) -> Commitment | None:
        """Read the newest commitment that this log has signed; of others the registry's audit tells (``forged``)."""
        query = _COMMITMENTS
        for _ in range(_TRIES):
            event = next(iter(self._log.page(query).events), None)
            if event is None:
                return None
            with suppress(EvidenceError):
                return verify_commitment(event.entry, self._origin, public)
            query = replace(query, after=Position(event.entry.timestamp, event.seq))
        return None

    def _placed(self, known: KnownHeads, newest: Commitment | None) -> Believed | None:
        """Hold the list against the newest commitment.

        Raises:
            EvidenceError: a chain has two heads.
        """
        if newest is not None and newest.event_id == known.event_id:
            return Believed(known, newest) if HeadTree(known.leaves()).root == newest.root else None
        # It was stored, and its process died before it had the event: what it says is true, and not committed to.
        committed = "" if newest is None else newest.event_id
        return Believed(replace(known, event_id=committed), None) if known.before == committed else None


def heads_message(raw: bytes, origin: str, time: int) -> bytes:
    """Build what is signed at ``time`` of the stored list of this log.

    Raises:
        NotOursError: it can't be decoded.
    """
    signed = {name: value for name, value in codec.decode(raw).items() if name not in _UNSIGNED}
    digest = sha256(codec.encode(signed)).hexdigest()
    return f"eventlog/audit-heads/v1\nlog {origin}\ntime {time}\nheads {digest}\n".encode()
