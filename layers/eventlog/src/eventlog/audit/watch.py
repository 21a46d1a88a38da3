"""The watcher: tells of what was done to the database that no function of the log does, even if it was undone since.

Audits look at moments. Whoever changes a row and puts it back between two of them leaves nothing that an audit could
find; the database's own record of its changes has both. What that says is told (log, metric) before it is stored, and
how far the changes were read moves on only after that. Changes that could not be watched are told as a gap, and accuse
nobody.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from eventlog.anchors.anchoring import Anchoring
from eventlog.audit.keeper import Keeper
from eventlog.audit.notices import Notices, Silence
from eventlog.audit.report import MAX_FINDINGS, AuditReport, new_report
from eventlog.audit.standings import StandingKeeper
from eventlog.audit.tally import Tally
from eventlog.audit.watch_position import WatchPosition, WatchPositions, WatchStart, shown
from eventlog.store.errors import CannotWatchError, CredentialsRefusedError, HistoryLostError, StoreError
from eventlog.store.interface.audits import AuditDatabase
from eventlog.store.interface.watch import ChangeWatch, OpenChanges

_NOT_WATCHED = "changes were not watched"
_WAIT_SECONDS = 1.0
_KEEP_SECONDS = 60.0
_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Watched:
    """What a round found, and how far behind it stopped: 0 if it came to the end, None if that is not known."""

    reports: list[AuditReport]
    lag_seconds: float | None


class Watcher:
    """Watches the database of one log. ``name`` says which log and database; ``clock`` gives seconds."""

    def __init__(
        self,
        watch: ChangeWatch,
        audits: AuditDatabase,
        name: str,
        *,
        anchoring: Anchoring | None = None,
        notices: Notices | None = None,
        standings: StandingKeeper | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # The reports have a keeper of their own: each is told and stored once, and none is ever resumed.
        self._watch = watch
        self._audits = audits
        self._notices = notices or Silence()
        self._keeper = Keeper(audits, self._notices, standings)
        self._positions = WatchPositions(watch, anchoring, name)
        self._clock = clock

    def drain(self, seconds: float) -> Watched:
        """Read all changes since the last round, for so long at most, and tell of what nobody should have done.

        Raises:
            CredentialsRefusedError: MongoDB refuses the user or the password.
        """
        until = time.monotonic() + seconds
        reports: list[AuditReport] = []
        since: int | None = None
        try:
            start = self._positions.start(self._millis())
            since = start.since
            try:
                return Watched(reports, self._read(start, until, reports))
            except HistoryLostError as error:
                return Watched(reports, self._read(self._lost(start, error), until, reports))
        except CredentialsRefusedError:
            raise
        except CannotWatchError as error:
            reports.append(self._gap(f"changes of the database are not watched: {error}"))
        except Exception as error:  # the position stands, and the next round tries again; the chains must be audited
            self._failed(error)
        return Watched(reports, None if since is None else self._behind(since))

    def follow(self, stopping: threading.Event, told: Callable[[AuditReport], None]) -> None:
        """Keep the changes open until ``stopping`` is set, and tell of what is found at once, to ``told`` too."""
        while not stopping.is_set():
            try:
                start = self._positions.start(self._millis())
                try:
                    self._follow(start, stopping, told)
                except HistoryLostError as error:
                    self._follow(self._lost(start, error), stopping, told)
            except Exception as error:  # whatever it is, watching must go on
                if not stopping.is_set():
                    self._failed(error)
                stopping.wait(_KEEP_SECONDS if isinstance(error, CannotWatchError) else _AGAIN_SECONDS)

    def _read(self, start: WatchStart, until: float, reports: list[AuditReport]) -> float | None:
        """Read from the start to a mark that we make now, tell, and keep how far we came; return the lag in seconds."""
        tally = Tally()
        with self._opened(start, reports) as changes:
            try:
                mark, over = self._put_mark(), False
                while not over and (mark is None or changes.mark != mark):
                    found = changes.read(min(_WAIT_SECONDS, until - time.monotonic()))
                    tally.add(found)
                    over = time.monotonic() >= until or (mark is None and not found)
            finally:  # whatever stops it, what was found is told, and the next round goes on from there
                reports += self._tell(tally)
                self._keep(changes, start)
            reached = changes.millis or start.since
            if mark is not None and changes.mark == mark:
                return 0.0
            return None if reached is None else self._behind(reached)

    def _put_mark(self) -> str | None:
        """Put a mark; None if the database refuses it: then the end is where nothing comes any more."""
        try:
            return self._watch.put_mark()
        except CredentialsRefusedError:
            raise
        except StoreError as error:
            self._notices.failed("the mark up to which changes are read could not be stored", "", error)
            return None

    def _follow(self, start: WatchStart, stopping: threading.Event, told: Callable[[AuditReport], None]) -> None:
        """Do what ``follow`` does, until something goes wrong."""
        gaps: list[AuditReport] = []
        with self._opened(start, gaps) as changes:
            for report in gaps:
                told(report)
            kept, flood = time.monotonic(), False
            self._keep(changes, start)
            while not stopping.is_set():
                # The first changes are told at once. If they are many, those that follow are told together.
                tally = Tally()
                tally.add(changes.read(_WAIT_SECONDS))
                until = time.monotonic() + (_KEEP_SECONDS if flood else 0)
                while tally.total and time.monotonic() < until and (more := changes.read(0)):
                    tally.add(more)
                flood = tally.total >= MAX_FINDINGS
                for report in self._tell(tally):
                    told(report)
                if tally.total or time.monotonic() - kept >= _KEEP_SECONDS:
                    self._keep(changes, start)
                    kept = time.monotonic()
            self._keep(changes, start)

    @contextmanager
    def _opened(self, start: WatchStart, reports: list[AuditReport]) -> Iterator[OpenChanges]:
        """Open the changes; if there is a gap before them, tell of it once that worked."""
        with self._watch.open(start.token, start.since) as changes:
            if start.gap:
                reports.append(self._gap(start.gap))
            yield changes

    def _lost(self, start: WatchStart, error: HistoryLostError) -> WatchStart:
        since = "an unknown time" if start.since is None else shown(start.since)
        gap = f"changes of the database between {since} and {shown(self._millis())} were not watched: {error}"
        return WatchStart(None, None, f"{start.gap}; {gap}" if start.gap else gap)

    def _keep(self, changes: OpenChanges, start: WatchStart) -> None:
        """Keep how far the changes were read. If that fails it is told, and they are read again."""
        if (token := changes.token) is None:
            return
        millis = changes.millis or start.since or self._millis()
        try:
            self._positions.keep(WatchPosition(token, millis))
        except CredentialsRefusedError:
            raise
        except StoreError as error:
            self._notices.failed("how far changes were watched could not be stored", "", error)

    def _tell(self, tally: Tally) -> list[AuditReport]:
        """Tell of what was found, and store a report of each chain."""
        now, known = self._millis(), set[str]()
        with suppress(StoreError):  # then it is told without a chain
            known.update(self._audits.chain_names() if tally.chains else ())
        reports = tally.reports(known, now)
        for report in reports:
            self._keeper.keep(report, report.started_at)
        if tally.unclear:
            reports.append(self._gap(f"the database was changed: {'; '.join(tally.unclear)}"))
        return reports

    def _gap(self, because: str) -> AuditReport:
        """Tell of changes that could not be watched or judged, in a report that accuses nobody."""
        now = self._millis()
        self._notices.failed(_NOT_WATCHED, "", HistoryLostError(because))
        return self._keeper.give_up(replace(new_report("", "incremental", now), to_seq=None), because, now)

    def _failed(self, error: Exception) -> None:
        known = error if isinstance(error, StoreError) else StoreError(type(error).__name__)
        self._notices.failed(_NOT_WATCHED, "", known)

    def _behind(self, millis: int) -> float:
        return max(0, self._millis() - millis) / 1000

    def _millis(self) -> int:
        return int(self._clock() * 1000)
