"""The development server's watcher: tells at once of changes of the database that no function of the log makes."""

import threading
from collections.abc import Callable

from eventlog.audit.report import AuditReport
from eventlog.wiring.audit import AuditWiring

_AGAIN_SECONDS = 5.0
_STOP_SECONDS = 5.0


class WatchThread(threading.Thread):
    """Keeps the changes of the database open, where the cloud's audit reads them once a minute."""

    def __init__(self, wiring: AuditWiring, tell: Callable[[str], None]) -> None:
        super().__init__(name="watcher", daemon=True)
        self._wiring = wiring
        self._tell = tell
        self._stopping = threading.Event()

    def run(self) -> None:
        """Watch until ``stop`` is called; ``start`` runs this in the thread."""
        while not self._stopping.is_set():
            try:
                self._wiring.watcher.follow(self._stopping, self._told)
            except Exception as error:  # no connection to begin with: it may come
                self._tell(f"The database can't be watched: {type(error).__name__}.")
                self._stopping.wait(_AGAIN_SECONDS)

    def stop(self) -> None:
        """End it, once it has stored how far it came."""
        self._stopping.set()
        if self.is_alive():
            self.join(_STOP_SECONDS)

    def _told(self, report: AuditReport) -> None:
        self._tell(describe(report))


def describe(report: AuditReport) -> str:
    """Tell of what was found, or could not be watched, in one sentence."""
    if not report.findings:
        return f"NOT WATCHED: {report.incomplete_because}."
    more = f", and {report.findings_total - 1} changes more" if report.findings_total > 1 else ""
    return f"TAMPERED: {report.findings[0].detail}{more}, see /api/v1/audits/{report.audit_id}."
