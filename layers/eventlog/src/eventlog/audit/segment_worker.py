"""What a worker process of an audit does: it verifies the segments that it is given (``workers.py``)."""

from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from typing import Protocol

from eventlog.store.interface.audits import AuditReads
from eventlog.stored import codec
from eventlog.stored.fields import ClusterTime, Fields, timestamp
from eventlog.verify.fast_path import Segment, verify_segment


class Tasks(Protocol):
    """Messages as they come in."""

    def get(self) -> bytes:
        """Wait for the next one."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is told first: where the log is, and the chain to read, as it was at ``after`` or later."""

    uri: str
    database: str
    chain: str
    after: ClusterTime | None

    def encode(self) -> bytes:
        """Write the message that a worker is sent first."""
        gossip = b"" if self.after is None else self.after.gossip
        return codec.encode(asdict(self) | {"after": timestamp(self.after), "gossip": gossip})

    @classmethod
    def decode(cls, message: bytes) -> "Work":
        """Read the message that ``encode`` wrote."""
        fields = Fields(codec.decode(message))
        after = fields.maybe_timestamp("after")
        return cls(
            uri=fields.get("uri", str),
            database=fields.get("database", str),
            chain=fields.get("chain", str),
            after=after and replace(after, gossip=fields.get("gossip", bytes)),
        )


def encode_task(start: int, stop: int) -> bytes:
    """Write the task to verify a segment: the events start..stop-1."""
    return codec.encode({"start": start, "stop": stop})


def encode_answer(segment: Segment | None) -> bytes:
    """Write a worker's answer; None says that the segment is not perfect."""
    return codec.encode({} if segment is None else asdict(segment) | {"skew": list(segment.skew)})


def decode_answer(answer: bytes) -> Segment | None:
    """Read the answer that ``encode_answer`` wrote."""
    fields = codec.decode(answer)
    return Segment(**fields | {"skew": tuple(fields["skew"])}) if fields else None


def serve(pipe: Connection, tasks: Tasks, audits: AuditReads, work: Work) -> None:
    """Say that the database answers, then verify one segment after the other, for ever.

    Raises:
        StoreError: the database does not answer.
        OSError: the audit has closed its end of the pipe.
    """
    next(audits.scan(work.chain, 0, 0, after=work.after), None)  # the connection is there before any task is taken
    pipe.send_bytes(b"ready")
    while True:
        task = Fields(codec.decode(tasks.get()))
        start, stop = task.count("start"), task.count("stop")
        rows = audits.scan(work.chain, start, stop, after=work.after)
        pipe.send_bytes(encode_answer(verify_segment(work.chain, start, stop, rows, audits.rules)))
