"""Sends messages to SQS FIFO queues. boto3 is imported by the first send: most starts of a function send nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from eventlog.store.errors import MessageTooLargeError, QueueUnavailableError

_LIMIT = 1 << 20
"""Bytes of a message with its attributes (SQS quotas)."""
_REASON = 500
_ROOM = 64
"""Of the attribute's own name and type."""


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
        message: dict[str, Any] = {"MessageGroupId": group, "MessageDeduplicationId": once, "MessageBody": body}
        told = json.dumps(reason or "")[1:-1][:_REASON]
        if told and len(body.encode()) + len(told) + _ROOM <= _LIMIT:
            message["MessageAttributes"] = {"reason": {"DataType": "String", "StringValue": told}}
        with _mapped():
            self._client.send_message(QueueUrl=self._url, **message)

    @cached_property
    def _client(self) -> Any:
        """Gives up after 12 s: a function behind the API then has time left to say so.

        In a session of its own, as several threads may not make clients in boto3's default one.
        """
        from boto3.session import Session  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        retries: Any = {"mode": "standard", "total_max_attempts": 2}
        return Session().client("sqs", config=Config(connect_timeout=2, read_timeout=4, retries=retries))


@contextmanager
def _mapped() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        found = error.response.get("Error", {})
        if "shorter than" in found.get("Message", ""):  # InvalidParameterValue stands for much else, too
            raise MessageTooLargeError("SQS takes no message of this size") from error
        raise QueueUnavailableError(f"SQS: {found.get('Code')} in {error.operation_name}") from error
    except BotoCoreError as error:
        raise QueueUnavailableError(f"SQS: {type(error).__name__}") from error
