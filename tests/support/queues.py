"""The queues of asynchronous ingest in moto, and Lambda's polling of one."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pymongo import MongoClient

from eventlog.ingest.queue_consumer import STEP_SECONDS
from eventlog.settings import Settings
from eventlog.store.mongo.store import open_log
from eventlog.wiring.connection import Connected, Connection
from eventlog.wiring.queue import QueueWiring

Json = dict[str, Any]
Consume = Callable[[Json], Json]


@dataclass
class Queues:
    """A FIFO queue and its dead letters; ``sqs`` is boto3's client."""

    sqs: Any
    url: str
    dead_url: str

    def settings(self, mongo_uri: str, database: str, **more: Any) -> Settings:
        urls = {"EVENTLOG_QUEUE_URL": self.url, "EVENTLOG_DEAD_LETTERS_URL": self.dead_url}
        return Settings.model_validate({"mongo_uri": mongo_uri, "mongo_database": database} | urls | more)

    def put(self, group: str, body: str, once: str) -> None:
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=once)

    def received(self, url: str) -> list[Json]:
        """Up to ten messages, as SQS gives them out."""
        wanted: Json = {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}
        answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **wanted)
        found: list[Json] = answer.get("Messages", [])
        return found

    def poll(self, consume: Consume) -> list[str]:
        """Deliver once as Lambda does, acknowledge what did not fail, and hand back the bodies of what failed."""
        messages = self.received(self.url)
        answer = consume(event_of(messages))
        failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        for message in messages:
            where: Json = {"QueueUrl": self.url, "ReceiptHandle": message["ReceiptHandle"]}
            if message["MessageId"] in failed:
                self.sqs.change_message_visibility(**where, VisibilityTimeout=0)
            else:
                self.sqs.delete_message(**where)
        return [message["Body"] for message in messages if message["MessageId"] in failed]

    def dead(self) -> list[tuple[str, str, str]]:
        """Group, body and reason of the dead letters."""
        return [
            (
                message["Attributes"]["MessageGroupId"],
                message["Body"],
                message.get("MessageAttributes", {}).get("reason", {}).get("StringValue", ""),
            )
            for message in self.received(self.dead_url)
        ]


def event_of(messages: list[Json]) -> Json:
    """The event that Lambda makes of messages."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:events.fifo",
                "awsRegion": "eu-central-1",
            }
            for message in messages
        ]
    }


def consumer(connection: Connection) -> Consume:
    """What takes a delivery, with time enough."""
    deliveries = QueueWiring(connection).deliveries
    return lambda event: {**deliveries.consume(json.loads(json.dumps(event)), lambda: STEP_SECONDS)}


class _Unanswered(Connection):
    """A connection to a database that does not answer."""

    @cached_property
    def current(self) -> Connected:
        uri = "mongodb://127.0.0.1:1/"
        client: MongoClient[Json] = MongoClient(uri, serverSelectionTimeoutMS=50)
        return Connected(uri, open_log(client, "none", "example.com/log"))


@contextmanager
def store_down(settings: Settings) -> Iterator[QueueWiring]:
    """What the queue's function works with while its database does not answer."""
    connection = _Unanswered(settings)
    with closing(connection.log):
        yield QueueWiring(connection)


@contextmanager
def fifo_queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    """Empty queues in an AWS of their own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        sqs = boto3.client("sqs")
        urls = [sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"}) for name in ("a.fifo", "d.fifo")]
        yield Queues(sqs, *(made["QueueUrl"] for made in urls))
