"""Audits that callers ask a server for, so that none of them takes the server, or the schedule's turn, from the others.

An audit of a chain in a mode is at work once: whoever asks for it meanwhile joins it. A caller has one at a time, and a
server a few, in threads of their own, as each may take minutes and the threads that answer requests are few. An audit
that is still at work when its caller has been answered goes on to its end.

Only audits of this very process are joined. What the database says is at work is not: whoever can write to it could put
a report there, and every audit that somebody asks for in doubt would be answered with that.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport, Mode
from eventlog.audit.run import AuditRun
from eventlog.audit.schedule import tell
from eventlog.principals import counted_as
from eventlog.store.errors import LimitError

AT_ONCE = 2
"""How many audits that callers asked for a server works on; others wait for their turn."""

_SECONDS = 600.0
"""An audit of a server is stored as unfinished after so long, and the schedule goes on with it."""
_AGAIN_SECONDS = 5


class Asked:
    """An audit at work, or waiting for its turn. ``done`` is its report, or what went wrong."""

    def __init__(self, caller: str, chain: str, mode: Mode) -> None:
        self.caller = caller
        self.chain = chain
        self.mode = mode
        self.run: AuditRun | None = None
        self.done: Future[AuditReport] = Future()

    @property
    def so_far(self) -> AuditReport | None:
        """How far it is; None if it still waits for its turn."""
        return None if self.run is None else self.run.report


class OnDemand:
    """The audits that a server's callers asked for. ``auditor`` is asked for at each, as connections change."""

    def __init__(self, auditor: Callable[[], Auditor]) -> None:
        self._auditor = auditor
        self._asked: dict[tuple[str, Mode], Asked] = {}
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def ask(self, principal: str, chain: str, mode: Mode) -> Asked:
        """Join the audit of this chain in this mode if it is at work, else begin it.

        Raises:
            LimitError: another audit that this caller asked for is at work.
        """
        caller = counted_as(principal)
        # Looked up and entered under one lock: of two who ask at once, one begins the audit and the other joins it.
        # Joining comes before the limit, as it starts no work: whoever asks again for an audit of its own gets that
        # one.
        with self._lock:
            if (asked := self._asked.get((chain, mode))) is not None:
                return asked
            other = next((asked for asked in self._asked.values() if asked.caller == caller), None)
            if other is not None:
                doing = f"{caller} has a {other.mode} audit of chain {other.chain} at work"
                raise LimitError(f"{doing}, and one caller may have one audit at a time.", _AGAIN_SECONDS)
            asked = self._asked[chain, mode] = Asked(caller, chain, mode)
        threading.Thread(target=self._work, args=(asked,), name="audit", daemon=True).start()
        return asked

    def _work(self, asked: Asked) -> None:
        """Audit, and hand over what comes of it once others may ask anew."""
        report, failure = None, None
        try:
            with self._turns:
                auditor = self._auditor()
                asked.run = auditor.start(asked.chain, asked.mode)
                report = auditor.run(asked.run, _SECONDS)
                tell([report])
        except BaseException as error:  # it belongs to those who wait for it, whatever it is
            failure = error
        with self._lock:
            del self._asked[asked.chain, asked.mode]
        if report is not None and failure is None:
            asked.done.set_result(report)
        else:
            asked.done.set_exception(failure or RuntimeError("an audit without a report"))
