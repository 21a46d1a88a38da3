"""A stream whose function's password is changed meanwhile: it goes on though nobody asks for anything else."""

from pathlib import Path

import pytest

from eventlog.http.app import create_app
from eventlog.store.mongo.store import open_log
from eventlog_client import EventLog
from functions.stream.app import routers
from tests.support.event_source import Subscriber
from tests.support.factories import draft
from tests.support.rotated import NEW, Rotated, rotated
from tests.support.secured import ORIGIN, secured_mongo
from tests.support.serving import served

pytestmark = pytest.mark.usefixtures("aws")


def append(found: Rotated) -> None:
    with found.log.mongo.client() as administrator:
        open_log(administrator, found.log.database, ORIGIN).append("main", [draft()])


def test_a_stream_goes_on_with_the_new_password(tmp_path: Path) -> None:
    with secured_mongo(tmp_path) as mongo:
        found = rotated(mongo, "query")
        app = create_app(*routers, title="rotated", settings=found.settings(), anonymous=True)
        with served(app) as url:
            append(found)
            subscriber = Subscriber(url, from_seq=0)
            subscriber.events(1)
            with EventLog(url) as log:
                events = log.tail(from_seq=0)
                next(events)
                found.change_password()
                found.secret.put(found.uri(NEW))
                subscriber.until("end")
                subscriber.close()
                append(found)
                assert next(events).seq == 1
        app.state.connection.close()
