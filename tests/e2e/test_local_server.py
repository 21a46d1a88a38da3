"""`make run`: it says clearly what stands in its way, stops cleanly, and finds its data again."""

import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from local.machine import HOST
from local.mongod.embedded import EmbeddedMongo
from local.mongod.process import MongodProcess
from tests.support import plain_http
from tests.support.ports import own_port
from tests.support.processes import Running, run, run_here, serve, server

EVENT = {
    "event_type": "user.login",
    "timestamp": "2026-11-14T09:30:00Z",
    "source_id": "web/shop",
    "payload": {"user": "u-1"},
}


class Standalone(MongodProcess):
    """A mongod without a replica set."""

    def _arguments(self) -> list[str]:
        arguments = super()._arguments()
        at = arguments.index("--replSet")
        return arguments[:at] + arguments[at + 2 :]


@pytest.fixture(scope="module")
def shared_mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMongo]:
    mongo = EmbeddedMongo(tmp_path_factory.mktemp("mongo"))
    mongo.start()
    yield mongo
    mongo.kill()


def refusal(result: subprocess.CompletedProcess[str], code: int) -> str:
    """The one sentence on stderr."""
    assert result.returncode == code, result.stdout + result.stderr
    (sentence,) = result.stderr.splitlines()
    assert sentence.endswith(".")
    return sentence


def append(running: Running, **fields: Any) -> dict[str, Any]:
    answer = plain_http.post(f"{running.url}/api/v1/events", json=EVENT | fields)
    assert answer.status_code == 201, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


def accepts_connections(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=5).close()
    except OSError:
        return False
    return True


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind((HOST, 0))
        busy.listen()
        port = busy.getsockname()[1]
        sentence = refusal(run(tmp_path, "local", PORT=str(port)), 1)
    assert sentence == f"Port {port} is busy: stop what uses it, or choose another with PORT=8001."


@pytest.mark.parametrize("port", ["http", "0", "65536"])
def test_a_port_that_is_none_is_a_bad_setting(tmp_path: Path, port: str) -> None:
    assert refusal(run_here(tmp_path, serve, PORT=port), 2).startswith("PORT (environment or .env): ")


def test_an_unreachable_database_is_named_without_its_password(tmp_path: Path) -> None:
    place = f"{HOST}:{own_port()}"
    result = run_here(tmp_path, serve, PORT=str(own_port()), MONGO_URI=f"mongodb://anna:s3cret@{place}/?ssl=false")
    assert f"No MongoDB answers at {place} " in refusal(result, 1)
    assert "s3cret" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    "uri",
    ["http://anna:s3cret@host", "mongodb://anna:s3cret/x@host", "mongodb://anna:s3c:ret@host", "mongodb://:s3cret"],
)
def test_a_uri_that_is_none_is_told_without_repeating_it(tmp_path: Path, uri: str) -> None:
    result = run_here(tmp_path, serve, PORT=str(own_port()), MONGO_URI=uri)
    assert refusal(result, 1) == "MONGO_URI can't be used: it must look like mongodb://host:port/."


def test_a_standalone_mongod_is_refused(tmp_path: Path) -> None:
    mongod = Standalone(tmp_path / "standalone")
    mongod.launch()
    try:
        result = run_here(tmp_path, serve, PORT=str(own_port()), MONGO_URI=f"mongodb://{mongod.address}/")
    finally:
        mongod.kill()
    assert "is a standalone; the log needs a replica set or mongos." in refusal(result, 1)


def test_ctrl_c_stops_both_and_the_next_run_finds_the_same_chain(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        first = append(running)
        running.process.send_signal(signal.SIGINT)  # and once more, out of impatience
        assert running.end_with(signal.SIGINT) == 0
        assert running.stderr == ""
        assert f"data is kept in {tmp_path / '.eventlog' / 'mongo'}" in running.stdout
        assert running.stdout.endswith("Stopped.\n")
        mongo_port = int((tmp_path / ".eventlog" / "mongo" / "port").read_text())
        assert not accepts_connections(running.port)
        assert not accepts_connections(mongo_port)
    with server(tmp_path) as running:
        found = plain_http.get(f"{running.url}/api/v1/events/{first['event_id']}").json()
        assert found["hash"] == first["hash"]
        assert append(running)["prev_hash"] == first["hash"]
        assert running.end_with(signal.SIGTERM) == 0
        assert running.stderr == ""


def test_a_second_server_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        assert "is in use by another mongod" in refusal(run(tmp_path, "local", PORT=str(own_port())), 1)
        append(running)


def test_the_commands_it_prints_work(tmp_path: Path, shared_mongo: EmbeddedMongo) -> None:
    with server(tmp_path, MONGO_URI=shared_mongo.uri, MONGO_DATABASE="printed") as running:
        commands = running.stdout.replace("\\\n", "").splitlines()
        log, find, audit = [shlex.split(line) for line in commands if line.strip().startswith("curl")]
        assert post(log).status_code == 201
        assert [event["seq"] for event in plain_http.get(find[-1]).json()["events"]] == [0]
        assert post(audit).json()["status"] == "intact"
        assert plain_http.get(f"{running.url}/docs").is_success
        assert f"{running.url}/docs" in running.stdout
        assert f"Starting ...\nLook at the log: {running.url}\n" in running.stdout
        page = plain_http.get(running.url)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


def post(curl: list[str]) -> httpx2.Response:
    """What `curl -X POST URL -H 'Content-Type: application/json' -d DATA` does."""
    program, method, verb, url, header, content_type, data, content = curl
    assert (program, method, verb, header, data) == ("curl", "-X", "POST", "-H", "-d")
    name, value = content_type.split(": ")
    return plain_http.post(url, content=content, headers={name: value})


def test_settings_come_from_a_dotenv_file_too(tmp_path: Path, shared_mongo: EmbeddedMongo) -> None:
    (tmp_path / ".env").write_text(f"MONGO_URI={shared_mongo.uri}\nMONGO_DATABASE=dotenv\n")
    with server(tmp_path) as running:
        append(running)
        assert shared_mongo.address in running.stdout
    assert not (tmp_path / ".eventlog").exists()
    with shared_mongo.client() as client:
        assert client["dotenv"]["sequences"].count_documents({"_id": "main"}) == 1
