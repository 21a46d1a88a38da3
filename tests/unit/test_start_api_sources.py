"""What calls functions beside HTTP requests, with SQS in moto and functions that a test answers for."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.machine import LocalError, wait_until
from local.start_api.functions import FunctionError
from local.start_api.main import pairs, timeouts
from local.start_api.pool import ThrottledError
from local.start_api.sources import Poller, Scheduler
from local.start_api.template import Schedule, Source

Answer = Callable[[dict[str, Any]], Any]


@pytest.fixture
def sqs() -> Iterator[Any]:
    with mock_aws():
        session: Any = boto3.Session("local", "local", region_name="eu-central-1")
        yield session.client("sqs")


@pytest.fixture
def url(sqs: Any) -> str:
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "0"}
    return str(sqs.create_queue(QueueName="Q.fifo", Attributes=attributes)["QueueUrl"])


class Function:
    """Answers deliveries as told; keeps the bodies of each."""

    def __init__(self, answer: Answer) -> None:
        self.bodies: list[list[str]] = []
        self._answer = answer

    def submit(self, payload: bytes) -> Future[bytes]:
        event = json.loads(payload)
        self.bodies.append([found["body"] for found in event["Records"]])
        future: Future[bytes] = Future()
        answer = self._answer(event)
        if isinstance(answer, ThrottledError):
            raise answer
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(json.dumps(answer).encode())
        return future


def fail(*bodies: str) -> Answer:
    def answer(event: dict[str, Any]) -> Any:
        failed = [found["messageId"] for found in event["Records"] if found["body"] in bodies]
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}

    return answer


def left_after(sqs: Any, url: str, answer: Answer, *, partial: bool = True) -> set[str]:
    """Bodies that are still in the queue after one delivery of a, b and c, each of its own chain."""
    for body in "abc":
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body, MessageDeduplicationId=body)
    function = Function(answer)
    source = Source("F", "arn:aws:sqs:eu-central-1:123456789012:Q.fifo", 10, partial)
    Poller(source, sqs, function.submit).turn()
    assert sorted(function.bodies[0]) == ["a", "b", "c"]
    left = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return {message["Body"] for message in left}


def test_what_the_function_has_done_is_removed_and_what_failed_stays(sqs: Any, url: str) -> None:
    assert left_after(sqs, url, fail("b")) == {"b"}


@pytest.mark.parametrize(
    "answer", [FunctionError("died"), ThrottledError(), {"batchItemFailures": [{"itemIdentifier": "no such message"}]}]
)
def test_everything_stays_when_the_function_can_not_say(sqs: Any, url: str, answer: Any) -> None:
    assert left_after(sqs, url, lambda _: answer) == {"a", "b", "c"}


def test_without_partial_answers_a_success_is_one_of_all(sqs: Any, url: str) -> None:
    assert left_after(sqs, url, fail("b"), partial=False) == set()


def test_a_schedule_calls_its_function_again_and_again_even_if_it_is_busy_once() -> None:
    called: list[bytes] = []

    def submit(payload: bytes) -> Future[bytes]:
        called.append(payload)
        if len(called) == 1:
            raise ThrottledError
        return Future()

    scheduler = Scheduler(Schedule("Often", "F", 0, b"{}"), submit)
    scheduler.start()
    wait_until("three calls", lambda: len(called) >= 3)
    scheduler.stop()
    assert not scheduler.is_alive()
    assert set(called) == {b"{}"}


def test_options_of_the_command_are_pairs() -> None:
    assert timeouts(["A=1", "B=22"]) == {"A": 1, "B": 22}
    assert pairs(["A=b=c"], "") == {"A": "b=c"}
    for wrong in ("A", "A=x"):
        with pytest.raises(LocalError, match="FUNCTION=SECONDS"):
            timeouts([wrong])
