"""Every text that a key of the log signs: its contents, how it is written, and how it is read back (``texts.py``)."""

import base64
import re

from hypothesis import strategies as st

from eventlog.formats.anchor import Seal, parse_claim
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.restore import Restore, format_restore, parse_restore
from eventlog.formats.strike_off import StrikeOff, format_strike_off, parse_strike_off
from tests.support.texts import CHAIN, COUNT, HASH, LINE, MILLIS, Text, same

REASON = st.text(min_size=1, max_size=40).filter(str.isprintable)
RESTORE = st.builds(Restore, LINE, COUNT, COUNT, COUNT, MILLIS, REASON)
STRUCK = st.builds(StrikeOff, LINE, CHAIN, COUNT, HASH, MILLIS, REASON)
HEAD = st.builds(Checkpoint, LINE, COUNT, HASH)
SEAL = st.builds(Seal, st.integers(1, 2**63 - 1), MILLIS, HASH)


def read_voucher(data: bytes) -> tuple[bytes]:
    """As ``voucher_message`` writes it; the code only ever compares, so it has no parser of its own."""
    found = re.fullmatch(rb"eventlog/audit/v1\nreport ([0-9a-f]{64})\n", data)
    if found is None:
        raise EvidenceError("not a voucher")
    return (bytes.fromhex(found[1].decode()),)


SIGNED: dict[str, Text] = {
    "checkpoint": Text(
        st.tuples(HEAD),
        lambda head: f"{head.origin}\n{head.size}\n{base64.b64encode(head.root).decode()}\n".encode(),
        lambda d: (parse_checkpoint(d.decode()),),
        lambda head: format_checkpoint(head).encode(),
        same,
    ),
    "seal": Text(
        st.tuples(HEAD, SEAL),
        lambda head, seal: (
            f"eventlog/anchor/v1\nnumber {seal.number}\ntime {seal.time}\nprevious {seal.previous.hex()}\n"
            f"{head.origin}\n{head.size}\n{base64.b64encode(head.root).decode()}\n"
        ).encode(),
        parse_claim,
        lambda head, seal: seal.message(format_checkpoint(head)),
        same,
    ),
    "restore": Text(
        st.tuples(RESTORE),
        lambda r: (
            f"eventlog/restore/v1\n{r.origin}\nnumber {r.number}\nkept {r.kept} {r.kept_size}\n"
            f"time {r.time}\n{r.reason}\n"
        ).encode(),
        lambda d: (parse_restore(d.decode()),),
        lambda restore: format_restore(restore).encode(),
        same,
    ),
    "strike-off": Text(
        st.tuples(STRUCK),
        lambda s: (
            f"eventlog/strike-off/v1\n{s.origin}\nchain {s.chain}\nentry {s.seq} {s.hash.hex()}\n"
            f"time {s.time}\n{s.reason}\n"
        ).encode(),
        lambda d: (parse_strike_off(d.decode()),),
        lambda struck: format_strike_off(struck).encode(),
        same,
    ),
    "voucher": Text(
        st.tuples(HASH),
        lambda report: f"eventlog/audit/v1\nreport {report.hex()}\n".encode(),
        read_voucher,
        lambda report: f"eventlog/audit/v1\nreport {report.hex()}\n".encode(),
        same,
    ),
}
"""By what a key of the log says with it. No text of one kind is one of another kind."""
