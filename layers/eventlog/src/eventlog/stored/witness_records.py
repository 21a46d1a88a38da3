"""What the log knows of a witness for one chain: a row of ``audits`` beside the reports, written after it was asked.

{_id: "witness/<chain>/<name>", chain, witness, size, time, state, since, detail, asked_at, next_try, failures,
 evidence}
"""

from dataclasses import dataclass
from typing import Literal, get_args

from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.fields import Fields, count, date, maybe_count, maybe_date

WITNESS_PREFIX = "witness/"
"""What the ids of these rows begin with."""
CosigningState = Literal["cosigning", "not_asked", "silent", "unknown", "unsound", "ahead", "contradicts"]
"""cosigning: it has cosigned what it was asked last. not_asked: nobody could ask it yet. silent: it does not answer, or
with an error. unknown: it says that it does not know this log. unsound: its lines don't verify, or its clock is wrong.
ahead: it has cosigned a larger tree than this log shows it. contradicts: this tree does not extend what it holds."""
COSIGNING_STATES: tuple[CosigningState, ...] = get_args(CosigningState)


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessRecord:
    """What is known of a witness, by its name in the policy, for one chain. Times are milliseconds since 1970."""

    chain: str
    witness: str
    size: int | None = None
    """The size of the last tree of the chain that it has cosigned; None: of none."""

    time: int | None = None
    """When it did, by its own clock; None as above."""

    state: CosigningState = "not_asked"
    since: int
    """Since when it is in this state."""

    detail: str = ""
    """What it answered, or did not."""

    asked_at: int | None = None
    next_try: int = 0
    """When it may be asked again."""

    failures: int = 0
    """How often in a row it did not cosign."""

    evidence: str | None = None
    """A checkpoint that it shows, signed by a key of this log, which this log's own history contradicts."""


def record_id(chain: str, witness: str) -> str:
    """Return the id of a record."""
    return f"{WITNESS_PREFIX}{chain}/{witness}"


def encode_record(record: WitnessRecord) -> bytes:
    """Write the document of a record."""
    return codec.encode(
        {
            "_id": record_id(record.chain, record.witness),
            "chain": record.chain,
            "witness": record.witness,
            "size": maybe_count(record.size),
            "time": maybe_date(record.time),
            "state": record.state,
            "since": date(record.since),
            "detail": record.detail,
            "asked_at": maybe_date(record.asked_at),
            "next_try": date(record.next_try),
            "failures": count(record.failures),
            "evidence": record.evidence,
        }
    )


def read_record(raw: bytes) -> WitnessRecord:
    """Read a record. Nothing is believed for it: what it holds decides when witnesses are asked and what is shown.

    Raises:
        NotOursError: it is not one that this version stores.
    """
    fields = Fields(codec.decode(raw))
    states = [state for state in COSIGNING_STATES if state == fields.get("state", str)]
    if not states:
        raise NotOursError("state is none that there is")
    return WitnessRecord(
        chain=fields.get("chain", str),
        witness=fields.get("witness", str),
        size=fields.maybe_count("size"),
        time=fields.maybe_date("time"),
        state=states[0],
        since=fields.date("since"),
        detail=fields.get("detail", str),
        asked_at=fields.maybe_date("asked_at"),
        next_try=fields.date("next_try"),
        failures=fields.count("failures"),
        evidence=fields.maybe("evidence", str),
    )
