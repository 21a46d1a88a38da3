"""Who hears what audits find, before it is stored: the database that is under suspicion may refuse to keep it."""

from typing import Protocol

from eventlog.audit.report import AuditReport
from eventlog.store.errors import StoreError


class Notices(Protocol):
    """Hears of findings and failures as they come. Its methods must not raise."""

    def found(self, report: AuditReport, new: int) -> None:
        """Hear of a report with findings that is about to be stored; ``new`` of them were not told before.

        Called whenever there are new ones, and (with ``new`` 0, if need be) once more when the audit is done.
        """
        ...

    def failed(self, what: str, chain: str, error: StoreError) -> None:
        """Hear of something that an audit could not do, and that it goes on without."""
        ...


class Silence:
    """Tells nobody: for callers that look at the reports themselves."""

    def found(self, report: AuditReport, new: int) -> None:
        """Do nothing."""

    def failed(self, what: str, chain: str, error: StoreError) -> None:
        """Do nothing."""
