"""Who hears what audits find, before it is stored: the database that is under suspicion may refuse to keep it."""

from typing import Protocol

from eventlog.audit.report import AuditReport
from eventlog.store.errors import StoreError


class Notices(Protocol):
    """Hears of findings and failures as they come. What it does with them may not raise."""

    def found(self, report: AuditReport, new: int) -> None:
        """A report is about to be stored that has findings; ``new`` of them nobody has heard of yet.

        Called whenever there are new ones, and (with ``new`` 0, if need be) once more when the audit is done.
        """
        ...

    def failed(self, what: str, chain: str, error: StoreError) -> None:
        """Something about audits was not to be done, and the audits go on without it."""
        ...


class Silence:
    """Tells nobody: for whoever looks at the reports at once."""

    def found(self, report: AuditReport, new: int) -> None:
        """Nothing."""

    def failed(self, what: str, chain: str, error: StoreError) -> None:
        """Nothing."""
