"""The witness function as API Gateway and its operator call it, with S3 (moto) and a KMS that keeps to AWS's model."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from eventlog.formats.cosignature import parse_cosigner_vkey
from eventlog.formats.note import VerifierKey, format_vkey, parse_note
from eventlog.formats.witness_protocol import MAX_REQUEST, origin_hash
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.wired import wiring_of
from eventlog.http.witness import add_log, router
from eventlog.settings import ConfigurationError, Settings
from eventlog.wiring.connection import Connection
from eventlog.wiring.witness import WitnessWiring
from eventlog.witness.state import StateLostError
from eventlog.witness.witness import WitnessAnswer
from local.start_api import kms as kms_server
from local.start_api.kms import KmsServer
from tests.infrastructure import sam
from tests.infrastructure.invoke import Context
from tests.support import emf
from tests.support.evidence import LINE
from tests.support.witness_memories import InBucket, new_bucket, some_s3
from tests.support.witness_requests import LOG, body, note, verified

NAME = "witness.example/w1"
VKEY = format_vkey(LOG)


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with some_s3() as client:
        yield client


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[KmsServer]:
    with kms_server.serve() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", server.url)
        server.make_key("alias/witness")
        yield server


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the operator is told in the function's log."""
    found: list[str] = []
    logger = SimpleNamespace(warning=lambda _, extra: found.append(extra["told"]))
    monkeypatch.setattr("eventlog.wiring.witness.Logger", lambda **_: logger)
    return found


@dataclass
class Called:
    """The function's handler."""

    memory: InBucket
    wired: WitnessWiring
    handler: Any

    def ask(self, method: str, path: str, content: str = "", **headers: str) -> tuple[int, str, str]:
        """Status, media type and body of an answer."""
        event = sam.sample("get-witness")
        event["headers"] |= headers
        event["routeKey"] = ""  # no route of the gateway's; the app alone decides
        event["rawPath"] = event["requestContext"]["http"]["path"] = path
        event["requestContext"]["http"]["method"] = method
        answer = self.handler({**event, "body": content}, Context(1))
        return answer["statusCode"], answer["headers"]["content-type"], answer["body"]

    def cosign(self, data: bytes) -> WitnessAnswer:
        status, media_type, content = self.ask("POST", "/witness/add-checkpoint", data.decode())
        return WitnessAnswer(status, content.encode(), media_type)


@pytest.fixture
def called(s3: Any, kms: KmsServer) -> Called:
    memory = new_bucket(s3)
    state = f"s3://{memory.bucket}/some/where"
    settings = Settings(_env_file=None, witness_name=NAME, witness_keys="kms:alias/witness", witness_state=state)
    app = create_app(router, title="witness", settings=settings)
    assert kms.calls == []
    return Called(memory, wiring_of(app, WitnessWiring), lambda_handler(app))


def test_a_log_that_its_operator_added_is_cosigned_with_the_key_in_kms(called: Called) -> None:
    assert add_log(called.wired, VKEY) == {"origin": LINE, "added": True}
    assert add_log(called.wired, VKEY) == {"origin": LINE, "added": False}
    status, _, about = called.ask("GET", "/witness/")
    (vkey,) = json.loads(about)["vkeys"]
    assert (status, json.loads(about)) == (
        200,
        {"name": NAME, "vkeys": [vkey], "logs": [{"origin": LINE, "vkeys": [VKEY]}]},
    )
    key = parse_cosigner_vkey(vkey)
    place = f"/witness/{origin_hash(LINE)}/checkpoint"
    assert called.ask("GET", place)[0] == 404
    for at, size in ((0, 3), (3, 5)):
        (time,) = verified(called.cosign(body(at, size)), size, key)
        status, media_type, served = called.ask("GET", place)
        assert (status, media_type) == (200, "text/plain; charset=utf-8")
        assert parse_note(served.encode()).text == parse_note(note(size)).text
        assert time > 1_700_000_000
    assert called.cosign(body(3, 5)) == WitnessAnswer(409, b"5\n", "text/x.tlog.size")
    assert called.ask("HEAD", place)[0] == 200


def test_what_is_malformed_unknown_or_unsigned_asks_kms_for_nothing(called: Called, kms: KmsServer) -> None:
    assert called.cosign(body(0, 3)).status == 404
    add_log(called.wired, format_vkey(VerifierKey("other.example/main", LOG.public_key)))
    assert called.cosign(body(0, 3)).status == 404
    assert called.cosign(b"x").status == 400
    assert called.ask("POST", "/witness/add-checkpoint", "x" * (MAX_REQUEST + 1))[0] == 413
    assert called.ask("POST", "/witness/add-checkpoint", "x", **{"content-encoding": "gzip"})[0] == 415
    for path in ("/witness", "/witness/x", "/witness/x/checkpoint", f"/witness/{'0' * 64}/checkpoint"):
        assert called.ask("GET", path)[:2] == (404, "application/problem+json")
    assert kms.calls == []


@pytest.mark.parametrize("lost", ["note", "key"])
def test_what_keeps_it_from_cosigning_is_an_alarm(
    told: list[str], called: Called, kms: KmsServer, lost: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_log(called.wired, VKEY)
    called.cosign(body(0, 3))
    emf.printed(capsys)
    if lost == "note":
        called.memory.remove(LINE, "note")
        with pytest.raises(StateLostError):
            add_log(called.wired, VKEY)
    else:
        kms.keys.clear()
        kms.public.clear()
    assert called.cosign(body(3, 5)).status == 503
    lines = emf.printed(capsys)
    assert emf.records(lines, "WitnessAlarms") == [({"service": "eventlog-witness"}, [1.0])]
    assert emf.records(lines, "WitnessCosignatures") == [({"service": "eventlog-witness"}, [0.0])]
    assert len(told) == 1
    assert ("is gone" if lost == "note" else "KMS key alias/witness") in told[0]
    assert called.memory.state.keys(LINE) == (LOG,)


def test_two_roots_of_one_size_are_an_alarm_and_kept(called: Called, capsys: pytest.CaptureFixture[str]) -> None:
    add_log(called.wired, VKEY)
    assert called.cosign(body(0, 3)).status == 200
    emf.printed(capsys)
    assert called.cosign(body(3, 3, "another")).status == 422
    assert called.cosign(body(3, 5, "another")).status == 422
    alarms = [values for _, values in emf.records(emf.printed(capsys), "WitnessAlarms")]
    assert alarms == [[1.0], [0.0]], "a proof that is none anybody can send"
    kinds = sorted(name.partition("-")[0] for name in called.memory.evidence(LINE))
    assert kinds == ["split", "split", "unproven", "unproven"]


@pytest.mark.parametrize("state", ["s3://nowhere", "/proc/nowhere"])
def test_a_memory_that_can_not_be_read_is_503_and_tells_no_stranger_why(
    state: str, s3: Any, kms: KmsServer, told: list[str]
) -> None:
    assert s3
    assert kms
    settings = Settings(_env_file=None, witness_name=NAME, witness_keys="kms:alias/witness", witness_state=state)
    app = create_app(router, title="witness", settings=settings)
    called = Called(InBucket(s3, ""), wiring_of(app, WitnessWiring), lambda_handler(app))
    if state.startswith("s3"):
        for method, path in (("GET", "/witness/"), ("POST", "/witness/add-checkpoint")):
            answer = called.ask(method, path, body(0, 3).decode() if method == "POST" else "")
            assert answer[0] == 503
            assert "NoSuchBucket" not in answer[2]
        assert ["NoSuchBucket" in line for line in told] == [True, True]
    else:
        with pytest.raises(OSError, match="nowhere"):
            add_log(called.wired, VKEY)


@pytest.mark.parametrize("missing", ["witness_name", "witness_keys", "witness_state"])
def test_a_witness_needs_all_three_settings(missing: str) -> None:
    given: Any = {"witness_name": NAME, "witness_keys": "key.pem", "witness_state": "memory"} | {missing: ""}
    with pytest.raises(ConfigurationError, match="are all needed"):
        assert WitnessWiring(Connection(Settings(_env_file=None, **given))).witness


def test_a_key_file_that_can_not_be_used_is_named() -> None:
    settings = Settings(_env_file=None, witness_name=NAME, witness_keys="nowhere.pem", witness_state="memory")
    with pytest.raises(ConfigurationError, match=r"EVENTLOG_WITNESS_KEYS: nowhere\.pem"):
        assert WitnessWiring(Connection(settings)).witness
