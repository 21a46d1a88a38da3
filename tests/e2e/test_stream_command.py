"""``eventlog tail`` and a server that is stopped while it streams, as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.formats.note import format_vkey
from eventlog.store.mongo.store import open_log
from local.machine import wait_until
from local.mongod.embedded import EmbeddedMongo
from tests.support import plain_http
from tests.support.anchoring import KEY, put_anchor
from tests.support.event_source import PATH, Interpreter, Subscriber
from tests.support.processes import SECONDS, Running, environment, run, server

VKEY = format_vkey(KEY.verifier("localhost/eventlog"))
EVENT = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {}}


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo(tmp_path_factory.mktemp("mongo")) as mongo:
        yield mongo


def post(running: Running, chain: str) -> None:
    assert plain_http.post(f"{running.url}/api/v1/events", json=EVENT | {"chain": chain}).status_code == 201


def sign(mongo: EmbeddedMongo, chain: str) -> None:
    with MongoClient[dict[str, Any]](mongo.uri) as client:
        put_anchor(open_log(client, "eventlog", "localhost/eventlog"), chain=chain)


class Tail:
    """``eventlog tail`` and what it has said so far."""

    def __init__(self, folder: Path, url: str, *options: str) -> None:
        self.out, self.err = folder / "out", folder / "err"
        command = [sys.executable, "-m", "eventlog_client", "--url", url, "--json", "tail", *options]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=out, stderr=err)

    def seqs(self) -> list[int]:
        """Of whole lines: of the last one there may be a part."""
        lines = self.out.read_text().splitlines(keepends=True)
        return [json.loads(line)["seq"] for line in lines if line.endswith("\n")]

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)


def test_tail_verifies_events_and_checkpoints_over_a_restart(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    key = format_vkey(KEY.verifier("localhost/eventlog", "tailed"))
    with server(tmp_path, MONGO_URI=mongo.uri) as running:
        port = running.port
        post(running, "tailed")
        post(running, "tailed")
        tail = Tail(tmp_path, running.url, "--from-seq", "1", "--chain", "tailed", "--verify", "--key", key)
        wait_until("the event", lambda: tail.seqs() == [1])
    with server(tmp_path, MONGO_URI=mongo.uri, PORT=str(port)) as running:
        post(running, "tailed")
        wait_until("the next event", lambda: tail.seqs() == [1, 2])
        sign(mongo, "tailed")
        wait_until("the checkpoint", lambda: "signed size 3: verified." in tail.err.read_text())
        assert tail.end() == 0
    assert len(tail.err.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--verify",), "a pinned verifier key is needed"),
        (("--verify", "--key", VKEY, "--type", "t"), "links between events can't be checked"),
        (("--verify", "--key", VKEY, "--source", "s"), "links between events can't be checked"),
    ],
)
def test_what_can_not_be_verified_is_refused(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = run(tmp_path, "eventlog_client", "tail", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_checkpoint_that_goes_back_ends_it_with_the_evidence(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    key = format_vkey(KEY.verifier("localhost/eventlog", "forged"))
    with server(tmp_path, MONGO_URI=mongo.uri) as running:
        for _ in range(2):
            post(running, "forged")
        tail = Tail(tmp_path, running.url, "--from-seq", "0", "--chain", "forged", "--verify", "--key", key)
        wait_until("the events", lambda: len(tail.out.read_text().splitlines()) == 2)
        with MongoClient[dict[str, Any]](mongo.uri) as client:
            store = open_log(client, "eventlog", "localhost/eventlog")
            put_anchor(store, 2, chain="forged")
            wait_until("the checkpoint", lambda: "signed size 2: verified." in tail.err.read_text())
            put_anchor(store, 1, chain="forged")
        assert tail.process.wait(SECONDS) == 3
    assert "the log misbehaved" in tail.err.read_text()
    assert "evidence" in json.loads(tail.out.read_text().splitlines()[-1])


def test_ctrl_c_ends_a_server_at_once_though_it_streams(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    with server(tmp_path, MONGO_URI=mongo.uri) as running:
        subscribers = [Subscriber(running.url) for _ in range(5)]
        for subscriber in subscribers:
            subscriber.until("head")
        started = time.monotonic()
        assert running.end_with(signal.SIGINT) == 0
        assert time.monotonic() - started < 30, "a stream itself has no end"
        assert [subscriber.until("end").value for subscriber in subscribers] == [{"reason": "stopping"}] * 5
        assert "Traceback" not in running.stderr


def frames_only(url: str, last_id: str) -> Interpreter:
    """What an EventSource makes of one answer that ends."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": last_id}
    answer = plain_http.get(f"{url}{PATH}", params={"chain": "stopped"}, headers=headers, timeout=SECONDS)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    source = Interpreter()
    source.feed(answer.text)
    return source


def test_a_database_that_is_stopped_for_a_while_ends_no_event_source(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    """Who takes nothing but frames is told when to ask again; the others are told by the status."""
    with server(tmp_path, MONGO_URI=mongo.uri, EVENTLOG_STREAM_SECONDS="3") as running:
        post(running, "stopped")
        with mongo.client() as client:
            pid = client.admin.command("serverStatus")["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            source = frames_only(running.url, "-1")
            assert plain_http.get(f"{running.url}{PATH}?chain=stopped", timeout=SECONDS).status_code == 503
        finally:
            os.kill(pid, signal.SIGCONT)
        (end,) = source.messages
        assert (end.type, end.value["reason"], source.retry) == ("end", "unavailable", 1000)
        subscriber = Subscriber(running.url, last_id="-1", chain="stopped")
        assert [event["seq"] for event in subscriber.events(1)] == [0]
