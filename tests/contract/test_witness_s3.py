"""What is particular to a witness's memory in S3 (moto; for conflicts and lost answers, a Stubber)."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from eventlog.formats.note import VerifierKey
from eventlog.formats.witness_protocol import SIZE_TYPE
from eventlog.witness.s3 import FRESH_SECONDS, S3State
from eventlog.witness.state import StateLostError
from eventlog.witness.witness import Witness, WitnessAnswer
from tests.support.each import each
from tests.support.evidence import LINE
from tests.support.witness_memories import InBucket, new_bucket, some_s3
from tests.support.witness_requests import LOG, TIME, Told, body, verified

OTHER = VerifierKey("other.example/main", LOG.public_key)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with some_s3() as found:
        yield found


@pytest.fixture
def memory(client: Any) -> InBucket:
    return new_bucket(client)


@pytest.fixture
def calls(client: Any) -> Iterator[list[tuple[str, Any]]]:
    """Each operation of S3 that is asked for, with its parameters."""
    found: list[tuple[str, Any]] = []

    def note(params: Any, model: Any, **_: Any) -> None:
        found.append((model.name, params))

    client.meta.events.register("provide-client-params.s3", note)
    yield found
    client.meta.events.unregister("provide-client-params.s3", note)


def test_every_put_has_a_condition(memory: InBucket, calls: list[tuple[str, Any]]) -> None:
    """The bucket's policy refuses all others."""
    witness = Told(memory)
    witness.state.add_log(LOG)
    witness.state.add_log(OTHER)
    for at, size in ((0, 3), (3, 3), (3, 5)):
        verified(witness.ask(body(at, size)), size)
    witness.ask(body(5, 5, "another"))
    puts = [params for operation, params in calls if operation == "PutObject"]
    assert len(puts) == 9
    assert all(("IfMatch" in params) != ("IfNoneMatch" in params) for params in puts)


def test_unknown_and_unsigned_requests_ask_s3_for_nothing_within_a_minute(
    memory: InBucket, calls: list[tuple[str, Any]]
) -> None:
    memory.state.add_log(OTHER)
    now = [1000.0]
    state = S3State(memory.client, memory.bucket, "some/where", lambda: now[0])
    witness = Witness(state, (), print)
    calls.clear()
    for _ in range(3):
        assert witness.add_checkpoint(body(0, 3)).status == 404
    assert [operation for operation, _ in calls] == ["ListObjectsV2", "GetObject"], "the list, and the one key in it"
    assert memory.state.add_log(LOG)
    now[0] += FRESH_SECONDS - 1
    assert witness.add_checkpoint(body(0, 3)).status == 404
    now[0] += 1
    calls.clear()
    assert state.keys(LINE) == (LOG,)
    assert [operation for operation, _ in calls] == ["ListObjectsV2", "GetObject"], "what is new alone is read"


def test_a_log_whose_keys_are_damaged_does_not_silence_the_witness_about_others(memory: InBucket) -> None:
    memory.state.add_log(LOG)
    memory.state.add_log(OTHER)
    memory.put(OTHER.name, "log", b"nonsense")
    verified(Told(memory).ask(body(0, 3)), 3)
    with pytest.raises(StateLostError, match="damaged"):
        memory.state.keys(OTHER.name)


def test_what_a_delete_marker_hides_is_lost_though_its_name_is_free(memory: InBucket) -> None:
    """A log's keys and what was cosigned last are both hidden: nothing says any more that it was ever known."""
    memory.state.add_log(LOG)
    memory.remove(LINE, "log")
    memory.remove(LINE, "note")
    with pytest.raises(StateLostError, match="is gone"):
        memory.state.add_log(LOG)


@pytest.fixture
def stubbed(client: Any) -> Iterator[tuple[S3State, Stubber]]:
    assert client, "with moto's credentials and region"
    client = boto3.client("s3")
    with Stubber(client) as stubber:
        yield S3State(client, "witness"), stubber
        stubber.assert_no_pending_responses()


@each("code, status", [("PreconditionFailed", 412), ("ConditionalRequestConflict", 409)])
def test_a_put_that_s3_refuses_because_of_another_one_is_a_lost_swap(
    code: str, status: int, stubbed: tuple[S3State, Stubber]
) -> None:
    state, stubber = stubbed
    stubber.add_client_error("put_object", code, http_status_code=status)
    assert not state.swap(LINE, b'"tag"', b"note")


def test_a_swap_names_the_etag_that_was_read(stubbed: tuple[S3State, Stubber]) -> None:
    state, stubber = stubbed
    parameters: Any = {"Bucket": "witness", "Key": ANY, "Body": b"note", "ContentType": ANY, "IfMatch": '"tag"'}
    stubber.add_response("put_object", {}, parameters | {"ChecksumAlgorithm": "SHA256"})
    assert state.swap(LINE, b'"tag"', b"note")


@each("operation", ["get_object", "put_object"])
def test_what_s3_refuses_is_no_answer(operation: str, stubbed: tuple[S3State, Stubber]) -> None:
    state, stubber = stubbed
    stubber.add_client_error(operation, "AccessDenied", http_status_code=403)
    with pytest.raises(OSError, match=r"^S3: AccessDenied in (Get|Put)Object$"):
        state.read(LINE) if operation == "get_object" else state.swap(LINE, b"x", b"y")


def test_a_put_whose_answer_is_lost_is_tried_again_and_is_a_lost_swap(memory: InBucket) -> None:
    """It was applied, so the second try finds another ETag: the log is told the new size, and asks again."""
    witness = Told(memory)
    witness.state.add_log(LOG)
    tried = []

    def try_again(attempts: int, **_: Any) -> int | None:
        tried.append(attempts)
        return 0 if attempts == 1 else None  # seconds to wait, as if no answer had come

    memory.client.meta.events.register("needs-retry.s3.PutObject", try_again)
    try:
        answer = witness.ask(body(0, 3))
    finally:
        memory.client.meta.events.unregister("needs-retry.s3.PutObject", try_again)
    assert tried == [1, 2]
    assert answer == WitnessAnswer(409, b"3\n", SIZE_TYPE)
    assert verified(witness.ask(body(3, 3)), 3) == [TIME]
