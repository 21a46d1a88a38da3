"""The changes of one log's database that its roles never make: one change stream over the whole database.

One stream of the database, and not one of each collection: it goes on when a collection is dropped or renamed, it has
one position, and its order is the order in which things were done. The server filters it (``change_rules.RELEVANT``).
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import bson
from bson import Timestamp
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument
from pymongo.change_stream import DatabaseChangeStream
from pymongo.errors import OperationFailure, PyMongoError

from eventlog.store.errors import CannotWatchError, HistoryLostError
from eventlog.store.interface.audits import MARK, POSITION
from eventlog.store.interface.watch import Change
from eventlog.store.mongo.change_rules import FIELDS, RELEVANT, is_mark, judge, removed_payload
from eventlog.store.mongo.driver_errors import mapped
from eventlog.store.mongo.indexes import NOT_ALLOWED
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.sweep import Sweep
from eventlog.stored import codec

Token = Mapping[str, Any]
Stream = DatabaseChangeStream[dict[str, Any]]
_AT_ONCE = 1_000
"""Changes that one ``read`` looks at, and returns, at most."""
_BATCH = 100
"""So many changes, the ones that pass for no reason among them, are waited for in one answer: half a minute's record,
of which a server goes through some 100,000 changes a second."""
_AWAIT_MILLIS = 250
_LENIENT: CodecOptions[dict[str, Any]] = CodecOptions(
    unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_MS
)
"""Reads ids that nobody should have written."""
_LOST = frozenset({9, 136, 260, 280, 286, 10334, 40649})
"""Error codes that say that a stream can't go on from its token, however often it is tried: FailedToParse and its like
for a token of another server, CappedPositionLost, InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost,
and BSONObjectTooLarge, as a change may have more bytes than an answer."""
_UNKNOWN_OPTION = 40415
"""MongoDB before 6.0 has no ``showExpandedEvents``."""


class MongoWatch:
    """``ChangeWatch`` on MongoDB; the position and the mark are kept in ``audits``."""

    def __init__(self, log: MongoStore) -> None:
        operations = operations_of(log)
        self._is_used = Sweep(operations).is_used
        self._audits = operations.audits
        self._database = self._audits.database.with_options(codec_options=_LENIENT)

    @contextmanager
    def open(self, token: bytes | None, since: int | None = None) -> Iterator["MongoChanges"]:
        """See ``ChangeWatch.open``; the record counts in seconds, so all of the first one is read."""
        with _mapped():
            start = Timestamp(since // 1000, 1) if token is None and since is not None else None
            changes = MongoChanges(self._stream, None if token is None else bson.decode(token), start, self._is_used)
        try:
            yield changes
        finally:
            changes.close()

    def _stream(self, token: Token | None, since: Timestamp | None = None) -> Stream:
        """Open a stream; ``startAfter`` goes on even after a token that ended one, as the database was dropped."""
        return self._database.watch(
            [{"$match": RELEVANT}, {"$project": FIELDS}],
            start_after=token,
            start_at_operation_time=since,
            show_expanded_events=True,
            max_await_time_ms=_AWAIT_MILLIS,
            batch_size=_BATCH,
        )

    def put_mark(self) -> str:
        """See ``ChangeWatch.put_mark``."""
        mark = uuid4().hex
        with mapped():
            self._audits.replace_one({"_id": MARK}, {"mark": mark}, upsert=True)
        return mark

    def position(self) -> bytes | None:
        """See ``ChangeWatch.position``."""
        with mapped():
            found = self._audits.with_options(codec_options=codec.RAW).find_one({"_id": POSITION})
        return None if found is None else bytes(found.raw)

    def keep_position(self, document: bytes) -> None:
        """See ``ChangeWatch.keep_position``."""
        with mapped():
            self._audits.replace_one({"_id": POSITION}, RawBSONDocument(document), upsert=True)


class MongoChanges:
    """``OpenChanges`` on MongoDB. The driver resumes the stream by itself, after a failover too."""

    def __init__(
        self,
        open_stream: Callable[[Token | None, Timestamp | None], Stream],
        token: Token | None,
        since: Timestamp | None,
        is_used: Callable[[str], bool],
    ) -> None:
        # ``is_used`` tells whether an event has the payload of an id: one that none has may go (``sweep.py``).
        self._open = open_stream
        self._is_used = is_used
        self._stream = open_stream(token, since)
        self.mark: str | None = None
        self.millis: int | None = None

    @property
    def token(self) -> bytes | None:
        """See ``OpenChanges.token``."""
        found = self._stream.resume_token
        return None if found is None else bson.encode(found)

    def read(self, seconds: float) -> list[Change]:
        """See ``OpenChanges.read``; a stream ends when the database is dropped, and is opened anew after that."""
        # A limited number at once, so that what a flood begins with is told while it goes on. It stops at a new mark,
        # which is where a round ends, and when nothing more is at hand: what was found is not kept waiting for the time
        # to pass.
        found: list[Change] = []
        until, mark = time.monotonic() + seconds, self.mark
        with _mapped():
            for _ in range(_AT_ONCE):
                event = self._stream.try_next()
                if event is not None:
                    self._take(event, found)
                    if self.mark != mark:
                        break
                elif found or time.monotonic() >= until:
                    break
                elif not self._stream.alive:
                    self._stream = self._open(dict(self._stream.resume_token or {}), None)
        return found

    def close(self) -> None:
        """Give back what it holds."""
        with suppress(PyMongoError):  # the server forgets it by itself
            self._stream.close()

    def _take(self, event: dict[str, Any], found: list[Change]) -> None:
        if isinstance(at := event.get("clusterTime"), Timestamp):
            self.millis = at.time * 1000
        if is_mark(event):
            self.mark = str(event["fullDocument"]["mark"])
        elif (change := judge(event)) and ((payload := removed_payload(event)) is None or self._is_used(payload)):
            found.append(change)


@contextmanager
def _mapped() -> Iterator[None]:
    """Turn what a change stream answers into errors that say what to do about it; the rest as ``mapped`` does."""
    # In the order of who can help: an operator (rights, version), a start from somewhere else (what the token or its
    # change asks for is lost for good), and, for all else, trying again.
    try:
        with mapped():
            yield
    except Exception as error:
        cause = error.__cause__
        code = cause.code if isinstance(cause, OperationFailure) else None
        if code in NOT_ALLOWED:
            because = "the database user of the audit may not watch the database; run make db-setup"
            raise CannotWatchError(because) from error
        if code == _UNKNOWN_OPTION:
            raise CannotWatchError("this MongoDB is too old to tell of its changes; it must be 6.0 or newer") from error
        if code in _LOST or isinstance(cause, InvalidBSON):
            raise HistoryLostError(f"MongoDB can't go on from there (code {code})") from error
        raise
