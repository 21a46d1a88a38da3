"""Calls functions for the queue and the schedules, as AWS does."""

import json
import threading
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.machine import LocalError
from local.start_api.aws import REGION
from local.start_api.functions import FunctionError
from local.start_api.pool import Submit, ThrottledError
from local.start_api.template import Json, Schedule, Source

STOP_SECONDS = 5
MOST = 10  # messages in one answer of SQS


class Loop(threading.Thread):
    """Does something again and again until it is stopped."""

    def __init__(self, name: str, every: float) -> None:
        super().__init__(name=name, daemon=True)
        self._every = every
        self._stopping = threading.Event()

    def run(self) -> None:
        """Take turns until ``stop`` is called."""
        while not self._stopping.wait(self._every):
            self.turn()

    def stop(self) -> None:
        """Stop; a turn under way gets a moment to end."""
        self._stopping.set()
        self.join(STOP_SECONDS)

    def turn(self) -> None:
        """Do it once."""
        raise NotImplementedError


class Scheduler(Loop):
    """EventBridge Scheduler: calls a function at a rate, and does not wait for it."""

    def __init__(self, schedule: Schedule, submit: Submit) -> None:
        super().__init__(f"schedule-{schedule.name}", schedule.seconds)
        self._payload = schedule.payload
        self._submit = submit

    def turn(self) -> None:
        """Call the function."""
        try:
            self._submit(self._payload)
        except ThrottledError:
            return  # the next turn will do


class Poller(Loop):
    """Lambda's event source mapping: takes messages from a queue, calls the function, removes those it has handled.

    Messages that failed stay in the queue and come again after their visibility timeout, as with Lambda.
    """

    def __init__(self, source: Source, sqs: Any, submit: Submit) -> None:
        super().__init__(f"queue-{source.function}", 0.05)
        self._source = source
        self._sqs = sqs
        self._submit = submit
        self._url = sqs.get_queue_url(QueueName=source.queue_arn.rpartition(":")[2])["QueueUrl"]

    def turn(self) -> None:
        """Take messages once, and call the function if there are any."""
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
        """Call the function with messages; return the ids of those that it could not handle."""
        everything = {message["MessageId"] for message in messages}
        records = [record(message, self._source.queue_arn) for message in messages]
        try:
            answer = json.loads(self._submit(json.dumps({"Records": records}).encode()).result())
        except (FunctionError, LocalError, ThrottledError):
            return everything
        if not self._source.partial or answer is None:
            return set()
        failed = {failure["itemIdentifier"] for failure in answer.get("batchItemFailures", ())}
        # an unknown id in the answer makes Lambda count the whole batch as failed
        return failed if failed <= everything else everything


def record(message: Json, queue_arn: str) -> Json:
    """Return a message as Lambda hands it to a function."""
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
