"""Processes share what there is to do; one that dies loses its item alone."""

import sys
from pathlib import Path

import pytest

from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore, operations_of
from local import sharing
from tests.support.anchored import ORIGIN, AnchoredLog

WORKER = """
import json, os, signal, sys
for line in sys.stdin:
    item = json.loads(line)
    if item["n"] in (3, 4):
        os.kill(os.getpid(), signal.SIGKILL)
    print(json.dumps({"done": item["n"], "by": os.getpid(), "origin": os.environ["EVENTLOG_ORIGIN"]}), flush=True)
"""


@pytest.mark.parametrize("count", [1, 2])
def test_a_process_that_is_killed_loses_its_item_alone(count: int) -> None:
    items = [{"n": number} for number in range(8)]
    found = list(sharing.do_all(items, {"EVENTLOG_ORIGIN": "x"}, count, [sys.executable, "-c", WORKER]))
    assert [answer and answer["done"] for answer in found] == [0, 1, 2, None, None, 5, 6, 7]
    assert {answer["origin"] for answer in found if answer} == {"x"}
    assert 2 <= len({answer["by"] for answer in found if answer}) <= count + 2


def test_a_process_does_an_item_with_the_settings_that_it_is_given(
    store: MongoStore, mongo_uri: str, database: str, tmp_path: Path
) -> None:
    log = AnchoredLog(store, tmp_path, segment_events=8)
    log.append(20)
    spreading = log.auditor().spreading
    assert spreading is not None
    items = [{"segment": item} for item in spreading.plan(least=1).work if "index" in item][:2]
    settings = Settings(
        mongo_uri=mongo_uri,
        mongo_database=database,
        origin=ORIGIN,
        anchors=str(tmp_path / "anchors"),
        signing_keys=str(tmp_path / "key"),
    )
    paused: list[float] = []
    sharing.share_full_audit(items, settings, paused.append)
    assert paused == [sharing.LET_GO_SECONDS]
    held = operations_of(store).audits
    counted = list(held.find({"_id": {"$regex": "^segment-count/main/"}}))
    assert [(row["events"], row["done"], "voucher" in row) for row in counted] == [(20, True, True)] * 2


def test_nothing_is_started_where_there_is_nothing_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "do_all", lambda *_: pytest.fail("a process was started"))
    sharing.share_full_audit([], Settings(), lambda _: pytest.fail("it waits"))
