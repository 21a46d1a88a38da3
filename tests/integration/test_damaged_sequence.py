"""A sequence document with absurd sizes stops neither the audit nor its report."""

from typing import Any

import pytest
from bson import Int64

from eventlog.audit.auditor import Auditor
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.factories import draft


@pytest.mark.parametrize(
    "change",
    [
        {"settled.size": Int64(-20), "settled.frontier": [b"\x01" * 32] * 2},
        {"size": Int64(7)},
        {"size": Int64(2**62)},
    ],
)
def test_an_absurd_size_is_one_finding_about_the_sequence_document(store: MongoStore, change: dict[str, Any]) -> None:
    store.append("main", [draft() for _ in range(3)])
    assert operations_of(store).push("main", [draft(received_at=1).entry], None) is not None
    operations_of(store).sequences.update_one({"_id": "main"}, {"$set": change})
    auditor = Auditor(store, AuditStore(store), "example.com/log")
    report = auditor.run(auditor.start("main", "full"), 10)
    assert report.status == "tampered"
    assert "sequence_mismatch" in {finding.kind for finding in report.findings}
