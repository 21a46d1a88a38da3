"""What begins without a look of its own at each chain's anchors, while their place is away, or has grown meanwhile."""

from typing import Any, cast

import pytest
from bson import DatetimeMS

from eventlog.anchors.packs import FOLDER
from eventlog.anchors.places import PACKS
from eventlog.anchors.registry import Registry
from eventlog.anchors.store import AnchorStore
from eventlog.audit import scan
from eventlog.audit.auditor import Auditor
from eventlog.audit.round import NAMES
from eventlog.chain_names import REGISTRY
from eventlog.store.errors import AnchorsUnavailableError
from eventlog.store.mongo.store import operations_of
from tests.support.anchored import AnchoredLog, kinds
from tests.support.auditors import DiedError

pytestmark = pytest.mark.parametrize("log", [True], indirect=True, ids=[""])


class Away:
    """A place of which nothing is known."""

    def __getattr__(self, _: str) -> Any:
        def away(*_: Any) -> Any:
            raise AnchorsUnavailableError("away")

        return away


def cut_off(log: AnchoredLog) -> Auditor:
    """An auditor that does not get at the place of anchors."""
    away = cast(AnchorStore, Away())
    return log.auditor(log.kept(away, away))


def planned(log: AnchoredLog) -> list[str]:
    """The chains that the full round under way has to come to still."""
    found = operations_of(log.store).audits.find_one({"_id": NAMES["full"]})
    assert found is not None
    return [*found["left"], *found["begun"]]


def test_a_shared_round_is_planned_though_the_anchors_are_away_and_each_audit_says_so(log: AnchoredLog) -> None:
    log.segment_events = 2
    for chain in ("a", "b"):
        log.append(5, chain)
    assert {report.status for report in log.audit_all().values()} == {"intact"}
    spreading = cut_off(log).spreading
    assert spreading is not None
    assert {item["chain"] for item in spreading.plan(least=1).work if "chain" in item} == {"a", "b", REGISTRY}
    assert set(planned(log)) == {"a", "b", REGISTRY}
    operations_of(log.store).audits.update_many({"status": "running"}, {"$set": {"lease": DatetimeMS(0)}})
    resumed = cut_off(log).resume(60)
    assert {report.chain: report.status for report in resumed} == dict.fromkeys(("a", "b", REGISTRY), "incomplete")
    assert all("away" in (report.incomplete_because or "") for report in resumed)
    assert {report.status for report in log.audit_all("full").values()} == {"intact"}


def test_a_shared_round_misses_a_chain_that_only_new_packs_know(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has looked before plans it. Meanwhile another has anchored the chain, and died then."""
    log.append(3, "a")
    auditor = log.auditor()
    auditor.audit_all("incremental", 60)
    log.append(3, "b")

    def die(*_: Any) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "add", die)
        with pytest.raises(DiedError):
            log.audit(chain="b")
    for name in ("events", "sequences", "checkpoints"):
        getattr(operations_of(log.store), name).delete_many({"_id" if name == "sequences" else "chain": "b"})
    for path in (log.folder / "anchors" / "b").iterdir():
        path.unlink()
    assert auditor.spreading is not None
    auditor.spreading.plan(least=1)
    assert planned(log) == ["a", "b", REGISTRY]
    assert log.audit_all("full")["b"].status == "tampered"


def test_an_audit_is_resumed_on_what_the_packs_are_by_then(log: AnchoredLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a process that has read them lately, and would have them in memory."""
    log.append(12)
    assert log.audit().status == "intact"
    with monkeypatch.context() as patch:
        patch.setattr(scan, "STEP", 5)
        begun = log.auditor()
        assert begun.run(begun.start("main", "full"), 0).status == "running"
    auditor = log.auditor()
    assert auditor.run(auditor.start("main", "incremental"), 60).status == "intact"
    pack = log.folder / "anchors" / PACKS / FOLDER / f"{2:012}"
    pack.chmod(0o644)
    pack.write_bytes(b"x" + pack.read_bytes())
    (report,) = auditor.resume(60)
    assert kinds(report) == [("checkpoint_missing", None)]
