"""Client of the Event Logging System: appends, queries, and verifies what the log says."""

from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import Receipt
from eventlog_client.answers import AuditReport, ChainInfo, Consistency, DamagedChain, SignedCheckpoint
from eventlog_client.appends import NewEvent
from eventlog_client.client import EventLog
from eventlog_client.errors import (
    ClientError,
    FieldProblem,
    FileChangedError,
    InsecureError,
    KeyNeededError,
    LogMisbehavedError,
    NotWitnessedError,
    RefusedError,
    StateError,
    UnexpectedAnswerError,
    UnreachableError,
)
from eventlog_client.proofs import Proof

__all__ = [
    "AuditReport",
    "ChainInfo",
    "ClientError",
    "Consistency",
    "DamagedChain",
    "Event",
    "EventLog",
    "EvidenceError",
    "FieldProblem",
    "FileChangedError",
    "InsecureError",
    "KeyNeededError",
    "LogMisbehavedError",
    "NewEvent",
    "NotWitnessedError",
    "Proof",
    "Receipt",
    "RefusedError",
    "SignedCheckpoint",
    "StateError",
    "UnexpectedAnswerError",
    "UnreachableError",
]
