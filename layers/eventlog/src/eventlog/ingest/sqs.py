"""Sends messages to SQS FIFO queues.

boto3 is imported by the first send, which takes 200 ms: most starts of a function send nothing.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import NotRequired, Protocol, TypedDict, cast

from eventlog.store.errors import MessageTooLargeError, QueueUnavailableError

_LIMIT = 1 << 20
"""Bytes of a message with its attributes (SQS quotas)."""
_REASON = 500
_ROOM = 64
"""Of the attribute's own name and type."""


class _Attribute(TypedDict):
    DataType: str
    StringValue: str


class _Sent(TypedDict):
    """The part of SQS's SendMessage that is used."""

    MessageGroupId: str
    MessageDeduplicationId: str
    MessageBody: str
    MessageAttributes: NotRequired[dict[str, _Attribute]]


class _Client(Protocol):
    """boto3 makes its clients' classes as it runs, so this is the type of one."""

    def send_message(self, **request: object) -> object:
        """Send a message (SQS API, SendMessage)."""
        ...


class SqsQueue:
    """A FIFO queue: messages of a group are delivered in the order they were sent in, each until it is acknowledged."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, group: str, body: str, *, once: str, reason: str | None = None) -> None:
        """Send a message to a group; the queue takes one with the same ``once`` only once in five minutes.

        So a retry by boto3 adds no second message. ``reason`` becomes an attribute of the message, in ASCII and cut to
        length; it is left out if the message, which somebody else may have written, leaves no room for it.

        Raises:
            MessageTooLargeError: SQS takes no message of this size.
            QueueUnavailableError: SQS does not answer or refuses; the message may be in the queue or not.
        """
        message: _Sent = {"MessageGroupId": group, "MessageDeduplicationId": once, "MessageBody": body}
        # As JSON it is ASCII, whatever it quotes; the quotes around it are left out.
        told = json.dumps(reason or "")[1:-1][:_REASON]
        if told and len(body.encode()) + len(told) + _ROOM <= _LIMIT:
            message["MessageAttributes"] = {"reason": {"DataType": "String", "StringValue": told}}
        with _mapped():
            self._client.send_message(QueueUrl=self._url, **message)

    @cached_property
    def _client(self) -> _Client:
        """Gives up after 12 s: a function behind the API then has time left to say so.

        In a session of its own, as several threads may not make clients in boto3's default one.
        """
        from boto3.session import Session  # noqa: PLC0415  200 ms with all that follows
        from botocore.config import Config  # noqa: PLC0415  with boto3

        config = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 2})
        return cast(_Client, Session().client("sqs", config=config))


@contextmanager
def _mapped() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  with boto3, see _client

    try:
        yield
    except ClientError as error:
        found = error.response.get("Error", {})
        if "shorter than" in found.get("Message", ""):  # InvalidParameterValue stands for much else, too
            raise MessageTooLargeError("SQS takes no message of this size") from error
        raise QueueUnavailableError(f"SQS: {found.get('Code')} in {error.operation_name}") from error
    except BotoCoreError as error:
        raise QueueUnavailableError(f"SQS: {type(error).__name__}") from error
