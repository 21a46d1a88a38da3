"""Client of the Event Logging System: appends, queries, and verifies what the log says."""

from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import Receipt
from eventlog.formats.name_filter import exactly
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
from eventlog_client.looking import Look
from eventlog_client.proofs import Proof
from eventlog_client.search import Search, parse_search
from eventlog_client.search_values import SearchError
from eventlog_client.standings import ChainStanding, LogStanding

__all__ = [
    "AuditReport",
    "ChainInfo",
    "ChainStanding",
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
    "LogStanding",
    "Look",
    "NewEvent",
    "NotWitnessedError",
    "Proof",
    "Receipt",
    "RefusedError",
    "Search",
    "SearchError",
    "SignedCheckpoint",
    "StateError",
    "UnexpectedAnswerError",
    "UnreachableError",
    "exactly",
    "parse_search",
]
