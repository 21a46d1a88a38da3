"""Appends and audits that come between two reads of an audit never look like tampering."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from eventlog.audit.auditor import Auditor
from eventlog.errors import NotFoundError
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.session_reads import SessionReads
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.factories import draft

ORIGIN = "example.com/log"


class Interrupted(AuditStore):
    """Something else happens right after the first read of the sequence document."""

    def __init__(self, store: MongoStore, meanwhile: Callable[[], object]) -> None:
        super().__init__(store)
        self._meanwhile: Callable[[], object] | None = meanwhile

    @contextmanager
    def together(self, chain: str) -> Iterator[SessionReads]:
        with super().together(chain) as reads:
            read = reads.sequence

            def interrupted() -> bytes | None:
                raw = read()
                if self._meanwhile is not None:
                    meanwhile, self._meanwhile = self._meanwhile, None
                    meanwhile()
                return raw

            reads.sequence = interrupted  # type: ignore[method-assign]
            yield reads


def test_a_chain_created_between_two_reads_is_not_called_bereft_of_its_sequence_document(store: MongoStore) -> None:
    audits = Interrupted(store, lambda: store.append("main", [draft(), draft()]))
    with pytest.raises(NotFoundError):
        Auditor(store, audits, ORIGIN).start("main", "full")


def test_events_settled_between_two_reads_are_left_to_the_next_audit(store: MongoStore) -> None:
    store.append("main", [draft() for _ in range(5)])
    auditor = Auditor(store, Interrupted(store, lambda: store.append("main", [draft() for _ in range(5)])), ORIGIN)
    report = auditor.run(auditor.start("main", "full"), 10)
    assert (report.status, report.events_checked, report.findings) == ("intact", 5, ())


def test_a_longer_audit_that_ends_between_two_reads_does_not_make_the_log_look_truncated(store: MongoStore) -> None:
    store.append("main", [draft() for _ in range(5)])
    other = Auditor(store, AuditStore(store), ORIGIN)

    def grow_and_audit() -> None:
        store.append("main", [draft() for _ in range(5)])
        other.run(other.start("main", "full"), 10)

    auditor = Auditor(store, Interrupted(store, grow_and_audit), ORIGIN)
    report = auditor.run(auditor.start("main", "incremental"), 10)
    assert (report.status, report.findings) == ("intact", ())


def test_a_sequence_document_and_first_event_gone_together_are_found(store: MongoStore) -> None:
    store.append("main", [draft() for _ in range(5)])
    store.settle("main")
    operations_of(store).sequences.delete_one({"_id": "main"})
    operations_of(store).events.delete_one({"chain": "main", "seq": 0})
    auditor = Auditor(store, AuditStore(store), ORIGIN)
    report = auditor.run(auditor.start("main", "full"), 10)
    assert [(f.kind, f.seq) for f in report.findings] == [("sequence_mismatch", None), ("missing", 0)]
