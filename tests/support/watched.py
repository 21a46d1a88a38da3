"""A log that is watched; and what the database's record of its changes has that nobody should have done."""

from eventlog.audit.report import AuditReport
from eventlog.audit.watch import Watched, Watcher
from eventlog.store.errors import StoreError
from eventlog.store.interface.watch import Change
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.watch import MongoWatch
from tests.support.anchored import ORIGIN, AnchoredLog


def from_now(store: MongoStore) -> bytes:
    """The token of this moment."""
    with MongoWatch(store).open(None) as changes:
        assert changes.token is not None
        return changes.token


def told_since(store: MongoStore, token: bytes) -> list[Change]:
    """All that is told, up to a mark that is made now."""
    watch, found = MongoWatch(store), list[Change]()
    with watch.open(token) as changes:
        mark = watch.put_mark()
        while changes.mark != mark:
            found += changes.read(10)
    return found


class Heard:
    """``Notices`` that remembers, in order."""

    def __init__(self) -> None:
        self.found_in: list[AuditReport] = []
        self.failures: list[str] = []

    def found(self, report: AuditReport, new: int) -> None:
        assert new == report.findings_total
        self.found_in.append(report)

    def failed(self, what: str, chain: str, error: StoreError) -> None:
        assert chain in {"", "main"}
        self.failures.append(f"{what}: {error}")


class Watch:
    """A log's watcher, anew for each round, as each process of the audit has one."""

    def __init__(self, log: AnchoredLog, *, anchored: bool = True) -> None:
        self.log = log
        self.heard = Heard()
        self.anchored = anchored
        operations = operations_of(log.store)
        self.events, self.audits, self.db = operations.events, operations.audits, operations.events.database
        self.name = f"{ORIGIN} {self.db.name}"

    def watcher(self) -> Watcher:
        anchoring = self.log.anchoring() if self.anchored else None
        return Watcher(
            MongoWatch(self.log.store),
            AuditStore(self.log.store),
            self.name,
            anchoring=anchoring,
            notices=self.heard,
            standings=self.log.auditor().standings if self.anchored else None,
            clock=lambda: self.log.now() / 1000,
        )

    def drain(self, seconds: float = 60) -> Watched:
        return self.watcher().drain(seconds)

    def found(self) -> list[tuple[str, str, int]]:
        """Chain, status and number of findings of what one more round finds."""
        return [(report.chain, report.status, report.findings_total) for report in self.drain().reports]

    def change(self, count: int = 1) -> None:
        """Updates of one row."""
        for _ in range(count):
            assert self.events.update_one({"chain": "main", "seq": 1}, {"$inc": {"v": 1}}).modified_count == 1


def watched(log: AnchoredLog) -> Watch:
    """An anchored log that is watched from now on."""
    log.append(5)
    found = Watch(log)
    assert found.found() == []  # nothing is anchored, so it may be new: it is no gap that nobody has watched
    log.audit_all()
    return found
