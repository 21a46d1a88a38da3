"""Holds the indexes that queries use against what a full audit reads: each must show every event of the chain.

While the scan goes on, one index after the other is counted in a thread: MongoDB does that, and nobody waits for it. It
is counted whole, or in its own order by as much as the scan goes in a step for each of them. So it costs no more memory
however long the chain is, and can be resumed.
"""

from concurrent.futures import Future, ThreadPoolExecutor

from eventlog.audit.run import AuditRun
from eventlog.store.errors import CorruptionError
from eventlog.store.interface.audits import AuditReads, Counted
from eventlog.verify.findings import Finding


class IndexCounts:
    """The counts of one running audit. ``close`` it in the end."""

    def __init__(self, audits: AuditReads, run: AuditRun) -> None:
        self._audits, self._run = audits, run
        self._thread: ThreadPoolExecutor | None = None
        self._asked: tuple[str, Future[Counted]] | None = None

    def advance(self, events: int) -> None:
        """Take what was counted meanwhile; have the next index counted, as far as makes so many events for each."""
        if self._asked is None or self._asked[1].done():
            self.wait()
            self._ask(events)

    def wait(self) -> None:
        """Wait for what is being counted, so that it is stored with the audit."""
        if self._asked is None:
            return
        (name, asked), self._asked = self._asked, None
        try:
            counted = asked.result()
        except CorruptionError as error:  # a key that can't be decoded: the scan finds the event
            self._run.counted = None
            self._run.leave_incomplete(f"its events could not be counted through an index: {error}")
            return
        if self._run.counted is not None:
            self._run.counted[name] = counted

    def finish(self, step: int) -> None:
        """Count to the end, and report each index that shows fewer events than the audit, or another index, has seen.

        An index that can't be used hides nothing: queries fail without it, and the audit of the database says why.
        """
        run = self._run
        self.wait()
        while run.counted and not all(each.done for each in run.counted.values()):
            self._ask(step)
            self.wait()
        usable = {name: each.events for name, each in (run.counted or {}).items() if each.usable}
        most = max([run.report.events_checked + run.report.earlier_events, *usable.values()])
        for name, events in usable.items():
            if events < most:
                detail = f"the index {name} of events hides {most - events} of the chain's {most} settled events"
                run.emit(Finding("schema_mismatch", None, str(most), str(events), detail))

    def close(self) -> None:
        """Wait for the thread, if there is one, and end it."""
        if self._thread is not None:
            self._thread.shutdown()

    def _ask(self, events: int) -> None:
        run, end = self._run, self._run.report.to_seq
        for name, so_far in (run.counted or {}).items():
            if not so_far.done and end is not None:
                self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="count")
                most, after = events * len(run.counted or ()), run.read_at
                asked = self._thread.submit(
                    self._audits.count_through, run.report.chain, name, end, so_far, most, after=after
                )
                self._asked = name, asked
                return
