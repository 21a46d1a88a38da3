"""What calls functions beside HTTP requests: the queue and the schedules."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.machine import LocalError
from local.start_api.aws import REGION
from local.start_api.functions import FunctionError
from local.start_api.pool import ThrottledError
from local.start_api.template import Json, Schedule, Source

Submit = Callable[[bytes], Future[bytes]]
STOP_SECONDS = 5
MOST = 10  # messages that SQS gives at once


class Loop(threading.Thread):
    """Does something again and again until it is stopped."""

    def __init__(self, name: str, every: float) -> None:
        super().__init__(name=name, daemon=True)
        self._every = every
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(self._every):
            self.turn()

    def stop(self) -> None:
        """What is under way gets a moment."""
        self._stopping.set()
        self.join(STOP_SECONDS)

    def turn(self) -> None:
        """One round."""
        raise NotImplementedError


class Scheduler(Loop):
    """EventBridge Scheduler: calls a function at a rate, and does not wait for it."""

    def __init__(self, schedule: Schedule, submit: Submit) -> None:
        super().__init__(f"schedule-{schedule.name}", schedule.seconds)
        self._payload = schedule.payload
        self._submit = submit

    def turn(self) -> None:
        try:
            self._submit(self._payload)
        except ThrottledError:
            return  # the next one is not far


class Poller(Loop):
    """Lambda's event source mapping: takes messages from a queue, calls the function, removes what it has done.

    What fails stays, and comes again when its visibility timeout is over, as with Lambda.
    """

    def __init__(self, source: Source, sqs: Any, submit: Submit) -> None:
        super().__init__(f"queue-{source.function}", 0.05)
        self._source = source
        self._sqs = sqs
        self._submit = submit
        self._url = sqs.get_queue_url(QueueName=source.queue_arn.rpartition(":")[2])["QueueUrl"]

    def turn(self) -> None:
        try:
            messages = self._receive()
            if not messages:
                return
            failed = self._consume(messages)
            for message in messages:
                if message["MessageId"] not in failed:
                    self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        except (BotoCoreError, ClientError):
            if not self._stopping.is_set():
                raise

    def _receive(self) -> list[Json]:
        found: list[Json] = self._sqs.receive_message(
            QueueUrl=self._url,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=min(MOST, self._source.batch_size),
        ).get("Messages", [])
        return found

    def _consume(self, messages: list[Json]) -> set[str]:
        """Ids of the messages that the function could not handle."""
        everything = {message["MessageId"] for message in messages}
        records = [record(message, self._source.queue_arn) for message in messages]
        try:
            answer = json.loads(self._submit(json.dumps({"Records": records}).encode()).result())
        except (FunctionError, LocalError, ThrottledError):
            return everything
        if not self._source.partial or answer is None:
            return set()
        failed = {failure["itemIdentifier"] for failure in answer.get("batchItemFailures", ())}
        # Lambda takes an id that is none of these for a failure of all
        return failed if failed <= everything else everything


def record(message: Json, queue_arn: str) -> Json:
    """A message as Lambda hands it to a function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": message.get("MessageAttributes", {}),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }
