"""What erasures cost those who append: nothing. A chain with erased events is asked the same as one without any.

Two logs do the same; MongoDB's own profiler counts what it is asked, and what it examines for that.
"""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.settings import Settings
from eventlog.store.mongo.store import open_log
from eventlog.stored.bodies import APART_FROM
from functions.ingest.app import routers
from tests.support.anchored import ORIGIN, AnchoredLog
from tests.support.governed import GovernedLog
from tests.support.profiled import Cost, counted, profiled

Client = MongoClient[dict[str, Any]]
EVENT = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {"n": 1}}
NAMES = [f"e{seq}{'-large' if seq % 4 == 0 else ''}" for seq in range(12)]


def grown(folder: Path, client: Client, database: str, *, erased: bool) -> None:
    """A chain of the same length, with four erased events or with an event in the place of their order."""
    log = AnchoredLog(open_log(client, database, ORIGIN), folder)
    governed = GovernedLog.make(log, folder)
    governed.append(*NAMES)
    log.store.settle("main")
    if erased:
        governed.erase(*NAMES[:4])
    else:
        governed.append("another")
    log.store.settle("main")
    log.audit()
    assert governed.erasing().run(60).emptied == (4 if erased else 0)
    assert len(governed.erased()) == (4 if erased else 0)


def appended(client: Client, mongo_uri: str, database: str) -> tuple[Cost, Cost]:
    """The operations of appends of every kind, and what is examined for as many again."""
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database, EVENTLOG_ORIGIN=ORIGIN)
    app = create_app(*routers, title="local", settings=settings, anonymous=True)
    large = EVENT | {"payload": {"n": "x" * APART_FROM}}
    with closing(app.state.connection), TestClient(app) as api:

        def append(name: str) -> None:
            posted = [
                api.post("/api/v1/events", json=EVENT),
                api.post("/api/v1/events", json=EVENT | {"event_id": name}),
                api.post("/api/v1/events", json=EVENT | {"event_id": name}),
                api.post("/api/v1/events", json=large),
                api.post("/api/v1/events/batch", json=[EVENT | {"event_id": f"{name}{n}"} for n in range(100)]),
                api.post("/api/v1/events/batch", json=[EVENT] * 3),
            ]
            assert [answer.status_code for answer in posted] == [201, 201, 200, 201, 201, 201]

        append("first")  # what a process asks once
        with counted(client[database]) as asked:
            append("second")
        with profiled(client[database]) as examined:
            append("third")
    return asked, examined


@pytest.mark.new_database
def test_an_append_with_the_id_of_an_erased_event_reads_no_order(
    client: Client, mongo_uri: str, database: str, tmp_path: Path
) -> None:
    grown(tmp_path, client, database, erased=True)
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database, EVENTLOG_ORIGIN=ORIGIN)
    app = create_app(*routers, title="local", settings=settings, anonymous=True)
    with closing(app.state.connection), TestClient(app) as api, counted(client[database]) as asked:
        for name in NAMES[:4]:
            assert api.post("/api/v1/events", json=EVENT | {"event_id": name}).status_code == 410
    assert not [kind for kind in asked if "event_type" in kind or "bodies" in kind]


@pytest.mark.new_database
def test_a_chain_with_erased_events_is_asked_what_one_without_any_is_asked_by_appends(
    client: Client, mongo_uri: str, database: str, tmp_path: Path
) -> None:
    other = f"{database}_plain"
    try:
        for name, erased in ((database, True), (other, False)):
            (tmp_path / name).mkdir()
            grown(tmp_path / name, client, name, erased=erased)
        with_erased, without = (appended(client, mongo_uri, name) for name in (database, other))
        assert with_erased == without
        asked, examined = without
        assert sum(asked.values()) > 10
        assert sum(examined.values()) > 10
        assert not [kind for kind in asked if "erasures" in kind or "event_type" in kind]
    finally:
        client.drop_database(other)
