"""What an index has shown of a long chain's events, counted by another invocation for an audit that is at work.

    {_id: "segment-count/<chain>/<index>", chain, audit, index, events, place, done, usable, voucher, vouched_at}

It counts for that audit alone, and only with a voucher (``vouchers.py``).
"""

from functools import partial
from hashlib import sha256
from typing import Any

from eventlog.audit.run import AuditRun
from eventlog.audit.vouchers import Voucher, Vouchers, voucher_fields, voucher_in
from eventlog.store.interface.audits import Counted, ReportStore
from eventlog.store.interface.segments import segment_count_id
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.fields import Fields, count

_UNSIGNED = {"voucher", "vouched_at"}


class IndexResults:
    """Keeps counts and takes them over, in one log, named ``origin``."""

    def __init__(self, store: ReportStore, vouchers: Vouchers, origin: str) -> None:
        self._store = store
        self._vouchers = vouchers
        self._origin = origin

    def keep(self, run: AuditRun, index: str, counted: Counted) -> bool:
        """Store how far an index was counted for an audit; return whether it could be signed.

        Raises:
            StoreError: the database can't be reached, or refuses it.
        """
        bare = _encode(run, index, counted)
        voucher = self._vouchers.sign(partial(count_message, bare, self._origin))
        if voucher is not None:
            key = segment_count_id(run.report.chain, index)
            self._store.save(key, _encode(run, index, counted, voucher))
        return voucher is not None

    def take_over(self, run: AuditRun) -> None:
        """Go on from what others have counted for this audit, where they are further.

        Raises:
            StoreError: the database can't be reached.
        """
        for index, so_far in list((run.counted or {}).items()):
            found = None if so_far.done else self._read(run, index)
            if run.counted is not None and found is not None and (found.done or found.events > so_far.events):
                run.counted[index] = found

    def _read(self, run: AuditRun, index: str) -> Counted | None:
        """Read a count of this index for this audit; None if there is none, or none that can be believed."""
        raw = self._store.get(segment_count_id(run.report.chain, index))
        if raw is None:
            return None
        try:
            document = codec.decode(raw)
            fields, voucher = Fields(document), voucher_in(document)
            if self._vouchers.refusal(partial(count_message, raw, self._origin), voucher) is not None:
                return None
            # Signed, but perhaps for another audit, chain or index: somebody may have put it here.
            names = (fields.get("audit", str), fields.get("chain", str), fields.get("index", str))
            if names != (run.report.audit_id, run.report.chain, index):
                return None
            return Counted(
                fields.count("events"),
                fields.maybe("place", bytes),
                fields.get("done", bool),
                fields.get("usable", bool),
            )
        except NotOursError:
            return None


def count_message(raw: bytes, origin: str, time: int) -> bytes:
    """Build what is signed at ``time`` of a stored count of this log.

    Raises:
        NotOursError: it can't be decoded.
    """
    signed = {name: value for name, value in codec.decode(raw).items() if name not in _UNSIGNED}
    digest = sha256(codec.encode(signed)).hexdigest()
    return f"eventlog/segment-count/v1\nlog {origin}\ntime {time}\ncount {digest}\n".encode()


def _encode(run: AuditRun, index: str, counted: Counted, voucher: Voucher | None = None) -> bytes:
    document: dict[str, Any] = {
        "_id": segment_count_id(run.report.chain, index),
        "chain": run.report.chain,
        "audit": run.report.audit_id,
        "index": index,
        "events": count(counted.events),
        "place": counted.place,
        "done": counted.done,
        "usable": counted.usable,
    }
    return codec.encode(document | voucher_fields(voucher))
