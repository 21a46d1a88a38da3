"""What SQS delivers: appended by a consumer, answered with what to deliver again, logged and counted.

No payload is ever logged.
"""

from collections.abc import Callable
from typing import TypedDict

from aws_lambda_powertools import Logger

from eventlog.ingest.queue_consumer import Consumer, Dead, Failure, Message, Outcome
from eventlog.store.errors import StoreError
from eventlog.telemetry import metrics
from eventlog.telemetry.tracebacks import where


class _Attributes(TypedDict):
    MessageGroupId: str


class Record(TypedDict):
    """A message of a delivery; SQS sends more members, which are not read."""

    messageId: str
    body: str
    attributes: _Attributes


class Delivery(TypedDict):
    """What SQS calls a function with (Lambda, "Using Lambda with Amazon SQS")."""

    Records: list[Record]


class FailedItem(TypedDict):
    """One message to deliver again."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """What a function answers to SQS (``ReportBatchItemFailures``)."""

    batchItemFailures: list[FailedItem]


class Deliveries:
    """Takes the events with which SQS calls a function (with ``ReportBatchItemFailures``).

    ``service`` is the function's name in logs and metrics.
    """

    def __init__(self, consumer: Consumer, service: str) -> None:
        self._consumer = consumer
        self._service = f"eventlog-{service}"
        self._logger = Logger(service=self._service)

    def consume(self, event: Delivery, seconds_left: Callable[[], float]) -> BatchResponse:
        """Append one delivery.

        Args:
            event: As SQS delivers it, with ``Records``.
            seconds_left: How long the function may still work.

        Returns:
            ``{"batchItemFailures": [{"itemIdentifier": ...}, ...]}``: the messages to deliver again.
        """
        messages = [
            Message(record["messageId"], record["attributes"]["MessageGroupId"], record["body"])
            for record in event["Records"]
        ]
        # What became of them is logged and counted before SQS is answered: an answer that is lost takes no trace along.
        outcome = self._consumer.consume(messages, seconds_left)
        self._log(outcome)
        metrics.emit(
            self._service,
            {"Events": outcome.stored, "DeadLettered": len(outcome.dead), "ErasedDropped": len(outcome.dropped)},
        )
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in outcome.failed]}

    def _log(self, outcome: Outcome) -> None:
        for message in outcome.dropped:
            fields = {"chain": message.group, "message_id": message.message_id}
            self._logger.warning("dropped: the event with its id was erased", extra=fields)
        for dead in outcome.dead:
            self._logger.warning("dead-lettered", extra=_dead_fields(dead))
        for failure in outcome.failures:
            self._logger.error("to be delivered again", extra=_failure_fields(failure))
        counts = {"stored": outcome.stored, "dead": len(outcome.dead), "failed": len(outcome.failed)}
        self._logger.info("delivery", extra={"appended": len(outcome.placed), **counts})


def _dead_fields(dead: Dead) -> dict[str, str]:
    kind = dead.reason.partition(":")[0]  # what follows may name members of a payload: only the queue may have it
    return {"chain": dead.message.group, "message_id": dead.message.message_id, "reason": kind}


def _failure_fields(failure: Failure) -> dict[str, object]:
    first, error = failure.messages[0], failure.error  # all of a failure's messages are of one chain
    detail = str(error) if isinstance(error, StoreError) else None  # other errors' texts may show a payload
    return {
        "chain": first.group,
        "message_id": first.message_id,
        "messages": len(failure.messages),
        "error": type(error).__name__,
        "detail": detail,
        "where": where(error),
    }
