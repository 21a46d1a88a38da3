"""An anchor that reads otherwise the next time, in the middle of an audit, is a finding and no crash."""

from typing import Any

import pytest

from eventlog.anchors.store import AnchorStore
from eventlog.store.mongo.store import operations_of
from tests.support.anchored import AnchoredLog, kinds

SECOND = "000000000002.note"


class Altered:
    """The anchors as they are, until one of them has been read so often: from then on it is another."""

    def __init__(self, anchors: AnchorStore, reads: int, data: bytes | None) -> None:
        self._anchors = anchors
        self._left = reads
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._anchors, name)

    def read(self, chain: str, key: str) -> bytes | None:
        if (chain, key) == ("main", SECOND):
            self._left -= 1
            if self._left < 0:
                return self._data
        return self._anchors.read(chain, key)


@pytest.mark.parametrize("data", [None, b"", b"other", b"x" * 3_000_000], ids=["gone", "empty", "other", "large"])
@pytest.mark.parametrize("mode", ["full", "incremental"])
@pytest.mark.parametrize("reads", range(1, 5))
def test_an_anchor_altered_between_two_reads_of_one_audit(
    log: AnchoredLog, reads: int, mode: Any, data: bytes | None
) -> None:
    for _ in range(3):
        log.append(2)
        log.audit()
    operations_of(log.store).checkpoints.delete_many(
        {"number": {"$gt": 1}}
    )  # as if somebody had died before keeping them
    log.append(1)
    altered: Any = Altered(log.anchors, reads, data)
    auditor = log.auditor(altered)
    report = auditor.run(auditor.start("main", mode), 60)
    if altered._left < 0:
        assert report.status in {"tampered", "incomplete"}
        assert {kind for kind, _ in kinds(report)} <= {"checkpoint_invalid", "checkpoint_missing"}
    else:
        assert report.status == "intact"


def test_an_anchor_that_is_another_one_by_now_is_a_finding(log: AnchoredLog) -> None:
    for _ in range(3):
        log.append(2)
        log.audit()
    operations_of(log.store).checkpoints.delete_many({"number": {"$gt": 1}})
    log.append(1)
    first = log.anchors.read("main", "000000000001.note")
    altered: Any = Altered(log.anchors, 2, first)
    auditor = log.auditor(altered)
    report = auditor.run(auditor.start("main", "incremental"), 60)
    assert kinds(report) == [("checkpoint_invalid", None)]
