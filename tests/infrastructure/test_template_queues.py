"""An accepted event waits in the queue in its chain's order, safe from others, until it is appended."""

from typing import Any

import pytest

from eventlog.settings import Settings
from tests.infrastructure import sam
from tests.infrastructure.stack import WITNESS, deployed

FOURTEEN_DAYS = 14 * 24 * 3600
QUEUES = ["IngestQueue", "DeadLetterQueue"]
PURGES = "NobodyPurges"


def refusals(queue: str, **parameters: str) -> dict[str, sam.Json]:
    policy = deployed(**parameters).properties(f"{queue}Policy")
    assert policy["Queues"] == [f"${{{queue}}}"]
    statements = policy["PolicyDocument"]["Statement"]
    assert {(found["Effect"], found["Principal"], found["Resource"]) for found in statements} == {
        ("Deny", "*", f"${{{queue}.Arn}}")
    }
    return {statement["Sid"]: statement for statement in statements}


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_keeps_order_and_is_encrypted_and_tells_no_two_events_for_one(name: str) -> None:
    queue = deployed().properties(name)
    assert queue["FifoQueue"] is True
    assert queue["SqsManagedSseEnabled"] is True
    assert queue["ContentBasedDeduplication"] is False
    assert queue["MessageRetentionPeriod"] == FOURTEEN_DAYS


def test_chains_do_not_wait_for_each_other() -> None:
    queue = deployed().properties("IngestQueue")
    assert (queue["DeduplicationScope"], queue["FifoThroughputLimit"]) == ("messageGroup", "perMessageGroupId")


def test_a_message_is_not_delivered_again_while_the_consumer_may_still_work_on_it() -> None:
    timeout = deployed().properties("IngestQueueFunction")["Timeout"]
    assert deployed().properties("IngestQueue")["VisibilityTimeout"] >= 6 * timeout
    # who died after a dead letter comes back while the dead-letter queue still knows the message (5 minutes)
    assert deployed().properties("IngestQueue")["VisibilityTimeout"] + timeout < 300


@pytest.mark.parametrize("queue", QUEUES)
def test_both_queues_take_the_largest_messages(queue: str) -> None:
    assert deployed().properties(queue)["MaximumMessageSize"] == 1 << 20


def test_an_outage_of_a_day_makes_no_dead_letters() -> None:
    queue = deployed().properties("IngestQueue")
    redrive = queue["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == "${DeadLetterQueue.Arn}"
    assert redrive["maxReceiveCount"] * queue["VisibilityTimeout"] > 24 * 3600
    assert redrive["maxReceiveCount"] <= 1000, "SQS takes no more"


@pytest.mark.parametrize("name", [*QUEUES, "IngestQueuePolicy", "DeadLetterQueuePolicy"])
def test_accepted_events_outlive_the_stack(name: str) -> None:
    resource = sam.resources()[name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert "QueueName" not in resource["Properties"], "a new stack would run into the old queue"


@pytest.mark.parametrize("queue", QUEUES)
def test_a_queue_is_reached_over_tls_only(queue: str) -> None:
    statement = refusals(queue)["OverTlsOnly"]
    assert (statement["Action"], statement["Condition"]) == ("sqs:*", {"Bool": {"aws:SecureTransport": "false"}})


@pytest.mark.parametrize(
    ("sid", "actions", "allowed"),
    [
        ("IngestAloneSends", "sqs:SendMessage", ["${IngestFunctionRole.Arn}"]),
        ("TheConsumerAloneTakes", ["sqs:ReceiveMessage", "sqs:DeleteMessage"], "${IngestQueueFunctionRole.Arn}"),
    ],
)
def test_one_function_alone_sends_and_one_alone_takes(sid: str, actions: Any, allowed: Any) -> None:
    statement = refusals("IngestQueue")[sid]
    assert statement["Action"] == actions
    assert statement["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": allowed}}


def test_a_role_that_moves_dead_letters_back_may_send_if_there_is_one() -> None:
    role = "arn:aws:iam::123456789012:role/on-call"
    statement = refusals("IngestQueue", RedriveRoleArn=role)["IngestAloneSends"]
    assert statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"] == ["${IngestFunctionRole.Arn}", role]


def test_nobody_purges_the_queue() -> None:
    statement = refusals("IngestQueue")[PURGES]
    assert statement["Action"] == "sqs:PurgeQueue"
    assert "Condition" not in statement


def test_the_consumer_gets_batches_and_says_what_failed() -> None:
    (source,) = deployed(QueueConcurrency=7).of_type("AWS::Lambda::EventSourceMapping").values()
    assert source["EventSourceArn"] == "${IngestQueue.Arn}"
    assert source["FunctionName"] == "${IngestQueueFunctionAliaslive}"
    assert source["BatchSize"] == 10
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": 7}


def test_the_settings_are_those_that_the_code_knows() -> None:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    for function in sam.FUNCTIONS:
        variables = deployed(**WITNESS).properties(function)["Environment"]["Variables"]
        assert {name for name in variables if name.startswith("EVENTLOG_")} <= known
