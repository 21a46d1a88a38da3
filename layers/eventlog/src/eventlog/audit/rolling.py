"""Full audits that roll: each re-hashes the oldest part of a long chain, and rests on what was signed for the rest.

So that no event goes longer than ``days`` without being re-hashed, a result must never get that old before the next
full audit: results count for that time less the time that may pass between two full audits. And so that not all of them
run out on one day, each full audit makes its share of them anew, the oldest first.
"""

from eventlog.audit.run import AuditRun
from eventlog.audit.segments import Segments
from eventlog.audit.standings import StandingKeeper
from eventlog.store.errors import CredentialsRefusedError, StoreError

_HOUR_MILLIS = 3_600_000


class Rolling:
    """Decides which results an audit may rest on. ``days`` 0: none. ``hours``: between two full audits, at most."""

    def __init__(self, segments: Segments | None, standings: StandingKeeper, *, days: int, hours: int) -> None:
        self._segments = segments
        self._standings = standings
        self._interval = hours * _HOUR_MILLIS
        self._period = days * 24 * _HOUR_MILLIS - self._interval

    def trusts_since(self, run: AuditRun) -> int | None:
        """Return the time since which results count for a full audit of the schedule; None: it rests on none.

        Raises:
            CredentialsRefusedError: the database refuses the password.
        """
        if self._segments is None or self._period <= 0 or run.report.mode != "full":
            return None
        # A chain in which something stands is gone over as a whole each time. Somebody may have put back a result from
        # before it was tampered with, and what was found must not be taken back on that ground.
        starts = self._segments.starts(run)
        if not starts or self._standings.stands(run.report.chain):
            return None
        now = run.report.started_at
        earliest = max(0, now - self._period)
        try:
            times = self._segments.times(run).values()
        except CredentialsRefusedError:
            raise
        except StoreError:  # what can't be read is made anew
            return None
        good = sorted(time for time in times if earliest <= time < now)
        # Those that are missing, or too old, are made in any case. If they are less than this audit's share, so are
        # the oldest of the others.
        share = -(-len(starts) * self._interval // self._period)
        due = share - (len(starts) - len(good))
        return good[min(due, len(good)) - 1] + 1 if due > 0 and good else earliest
