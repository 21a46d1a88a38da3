"""Holds the indexes that queries use against what a full audit reads: each must show every event of the chain.

With each step of the scan one index is counted further: whole, or in its own order by as much as the scan has gone in
that time for each of them. So it costs no more memory however long the chain is, and can be resumed.
"""

from eventlog.audit.run import AuditRun
from eventlog.store.errors import CorruptionError
from eventlog.store.interface.audits import AuditReads
from eventlog.verify.findings import Finding


def advance(audits: AuditReads, run: AuditRun, events: int) -> None:
    """Count a chain's events through the next index that is not done, as far as makes so many events for each."""
    end = run.report.to_seq
    if run.counted is None or end is None:
        return
    try:
        for name, so_far in run.counted.items():
            if not so_far.done:
                most = events * len(run.counted)
                run.counted[name] = audits.count_through(run.report.chain, name, end, so_far, most, after=run.read_at)
                return
    except CorruptionError as error:  # a key that can't be decoded: the scan finds the event
        run.counted = None
        run.leave_incomplete(f"its events could not be counted through an index: {error}")


def finish(audits: AuditReads, run: AuditRun, step: int) -> None:
    """Count to the end, and report each index that shows fewer events than the audit, or another index, has seen.

    An index that can't be used hides nothing: queries fail without it, and the audit of the database says why.
    """
    while run.counted and not all(each.done for each in run.counted.values()):
        advance(audits, run, step)
    usable = {name: each.events for name, each in (run.counted or {}).items() if each.usable}
    most = max([run.report.events_checked + run.report.earlier_events, *usable.values()])
    for name, events in usable.items():
        if events < most:
            detail = f"the index {name} of events hides {most - events} of the chain's {most} settled events"
            run.emit(Finding("schema_mismatch", None, str(most), str(events), detail))
