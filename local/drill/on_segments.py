"""Attacks on signed results of segments, on which full audits of long chains rest (``audit/segments.py``)."""

from collections.abc import Callable
from dataclasses import replace

from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.formats.segment import sign_segment, verify_segment_note
from eventlog.store.interface.segments import segment_id
from local.demo.tamper import edit_payload
from local.drill.attack import FULL, Attack
from local.drill.log import ORIGIN, Document, DrillLog
from local.drill.on_events import VICTIM, edit

_SEGMENT = 8
_START = VICTIM - VICTIM % _SEGMENT
_LAST = 3 * _SEGMENT + 1
_DAY = 86_400_000
_REHASH_DAYS = 10


def let_it_roll(log: DrillLog) -> None:
    """Let the log be as one of very long chains, each of whose segments has a signed result."""
    log.rehash_days, log.segment_events = _REHASH_DAYS, _SEGMENT
    assert {report.status for report in log.audit("full")} == {"intact"}


def result(log: DrillLog, chain: str, start: int) -> Document:
    """Return the row that has a segment's result."""
    found = log.audits.find_one({"_id": segment_id(chain, start)})
    assert found is not None
    return found


def put(log: DrillLog, chain: str, start: int, note: str) -> None:
    """Put a note in the place of a segment's result."""
    row = {"_id": segment_id(chain, start), "chain": chain, "note": note}
    log.audits.replace_one({"_id": row["_id"]}, row, upsert=True)


def edit_below(act: Callable[[DrillLog], None]) -> Callable[[DrillLog], None]:
    """Make an attack: the chains have results, a payload in one segment is edited, and then this is done."""

    def attack(log: DrillLog) -> None:
        let_it_roll(log)
        edit(log)
        act(log)

    attack.__doc__ = f"Edit a payload in a segment that has a result. {act.__doc__}"
    return attack


def forge(log: DrillLog) -> None:
    """Sign a fresh result with a key of one's own."""
    create_key_file(log.folder / ".own")
    raw = result(log, "main", _START)["note"].encode()
    note = verify_segment_note(raw, [log.key.public_key], ORIGIN)
    own = sign_segment(replace(note, began=log.now(), ended=log.now()), [KeyFile(log.folder / ".own")])
    put(log, "main", _START, own.decode())


def swap(log: DrillLog) -> None:
    """Put another chain's result of the same place there, which the log has signed."""
    put(log, "main", _START, result(log, "payments", _START)["note"])


def move(log: DrillLog) -> None:
    """Put the result of another place of the chain there."""
    put(log, "main", _START, result(log, "main", 0)["note"])


def put_back_old(log: DrillLog) -> None:
    """Keep a result, edit a payload below it when it is too old to count, and put it back each time."""
    let_it_roll(log)
    old = result(log, "main", _START)["note"]
    log.ahead += _REHASH_DAYS * _DAY
    edit(log)
    put(log, "main", _START, old)


def edit_last(log: DrillLog) -> None:
    """Edit a payload in the segment that was re-hashed last, so that its result counts the longest.

    The watcher tells of it. So something stands in the chain, and its next full audit rests on no result.
    """
    let_it_roll(log)
    edit_payload(log.events, "main", _LAST)


_FOUND = f"main payload_mismatch {VICTIM}"
ATTACKS = [
    Attack("edit a payload below a segment's result, and forge that", "3", edit_below(forge), FULL, _FOUND),
    Attack("the same, with another chain's result in its place", "3", edit_below(swap), FULL, _FOUND),
    Attack("the same, with that of another place of the chain", "3", edit_below(move), FULL, _FOUND),
    Attack("put back a segment's result that is too old", "3", put_back_old, FULL, _FOUND),
    Attack("edit a payload below a result that still counts", "3", edit_last, FULL, f"main payload_mismatch {_LAST}"),
]
"""In the order in which they are shown."""
