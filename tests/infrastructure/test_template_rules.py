"""Which calls of AWS are told: the patterns of the rules, held against events as CloudTrail writes them."""

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.infrastructure.stack import ACCOUNT, ERASING, deployed
from tests.support.each import each

FUNCTION = "${ChainAuditFunction}"
ARN = f"arn:aws:lambda:eu-central-1:123456789012:function:{FUNCTION}"
STACK = "${AWS::StackName}"
Call = tuple[str, str, dict[str, Any]]

TOLD: dict[str, list[Call]] = {
    "AuditChangeRule": [
        ("lambda", "UpdateFunctionCode20150331v2", {"functionName": FUNCTION}),
        ("lambda", "UpdateFunctionConfiguration20150331v2", {"functionName": ARN}),
        ("lambda", "PutFunctionConcurrency20171031", {"functionName": FUNCTION}),
        ("lambda", "DeleteFunctionConcurrency20171031", {"functionName": ARN}),
        ("lambda", "PutFunctionCodeSigningConfig", {"functionName": FUNCTION}),
        ("lambda", "DeleteFunctionCodeSigningConfig20200422", {"functionName": FUNCTION}),
        ("lambda", "PutFunctionEventInvokeConfig", {"functionName": FUNCTION}),
        ("lambda", "UpdateAlias20150331", {"functionName": FUNCTION, "name": "live"}),
        ("lambda", "DeleteAlias20150331", {"functionName": f"{ARN}:live"}),
        ("lambda", "DeleteFunction20150331", {"functionName": FUNCTION}),
        ("lambda", "AddPermission20150331v2", {"functionName": f"{ARN}:live"}),
        ("lambda", "RemovePermission20150331v2", {"functionName": FUNCTION}),
    ],
    "ScheduleChangeRule": [
        ("scheduler", "UpdateSchedule", {"name": "${ChainAuditFunctionIncremental}"}),
        ("scheduler", "DeleteSchedule", {"name": "${ChainAuditFunctionFull}"}),
    ],
    "AlarmChangeRule": [
        ("monitoring", "DeleteAlarms", {"alarmNames": ["other", f"{STACK}-tampering-found"]}),
        ("monitoring", "DisableAlarmActions", {"alarmNames": [f"{STACK}-full-audit-missing"]}),
        ("monitoring", "SetAlarmState", {"alarmName": f"{STACK}-tampering-found"}),
        ("monitoring", "PutMetricAlarm", {"alarmName": f"{STACK}-tampering-found"}),
        ("events", "DisableRule", {"name": f"{STACK}-AuditChangeRule-1A2B"}),
        ("events", "RemoveTargets", {"rule": f"{STACK}-AuditChangeRule-1A2B", "ids": ["alarm-topic"]}),
        ("events", "DeleteRule", {"name": f"{STACK}-AlarmChangeRule-1A2B"}),
        ("sns", "SetTopicAttributes", {"topicArn": "${AlarmTopic}"}),
        ("sns", "DeleteTopic", {"topicArn": "${AlarmTopic}"}),
        ("sns", "Unsubscribe", {"subscriptionArn": "${AlarmTopic}:0000-1111"}),
    ],
    "SecretChangeRule": [
        ("secretsmanager", "PutSecretValue", {"secretId": f"{ACCOUNT}ingest-AbCdEf"}),
        ("secretsmanager", "UpdateSecretVersionStage", {"secretId": f"{ACCOUNT}query-AbCdEf"}),
        ("secretsmanager", "PutSecretValue", {"secretId": f"{ACCOUNT}erase-AbCdEf"}),
        ("secretsmanager", "PutSecretValue", {"secretId": "ingest"}),
        ("secretsmanager", "DeleteSecret", {"secretId": f"{ACCOUNT}ingest-AbCdEf"}),
        ("ssm", "PutParameter", {"name": "/audit"}),
        ("ssm", "PutParameter", {"name": "audit"}),
        ("ssm", "DeleteParameter", {"name": "arn:aws:ssm:eu-central-1:123456789012:parameter/audit"}),
    ],
    "SigningKeyChangeRule": [],
    "AnchorBucketChangeRule": [
        ("s3", "PutBucketPolicy", {"bucketName": "${AnchorBucket}"}),
        ("s3", "PutBucketObjectLockConfiguration", {"bucketName": "${AnchorBucket}"}),
    ],
}
NOT_TOLD: dict[str, list[Call]] = {
    "AuditChangeRule": [
        ("lambda", "UpdateFunctionCode20150331v2", {"functionName": "another"}),
        ("lambda", "GetFunction20150331v2", {"functionName": FUNCTION}),
        ("lambda", "Invoke", {"functionName": FUNCTION}),
        ("events", "UpdateFunctionCode20150331v2", {"functionName": FUNCTION}),
    ],
    "ScheduleChangeRule": [
        ("scheduler", "UpdateSchedule", {"name": "another"}),
        ("scheduler", "GetSchedule", {"name": "${ChainAuditFunctionFull}"}),
    ],
    "AlarmChangeRule": [
        ("monitoring", "DeleteAlarms", {"alarmNames": ["another"]}),
        ("monitoring", "DescribeAlarms", {"alarmNames": [f"{STACK}-tampering-found"]}),
        ("sns", "Publish", {"topicArn": "${AlarmTopic}"}),
        ("sns", "DeleteTopic", {"topicArn": "another"}),
        ("events", "DisableRule", {"name": "another"}),
    ],
    "SecretChangeRule": [
        ("secretsmanager", "PutSecretValue", {"secretId": f"{ACCOUNT}another-AbCdEf"}),
        ("secretsmanager", "GetSecretValue", {"secretId": f"{ACCOUNT}ingest-AbCdEf"}),
        ("ssm", "PutParameter", {"name": "/another"}),
        ("ssm", "GetParameter", {"name": "/audit"}),
    ],
}


def matches(pattern: Any, value: Any) -> bool:
    """Whether EventBridge's pattern takes a value: of what the patterns here use."""
    if isinstance(pattern, dict):
        either = pattern.get("$or")
        return (either is None or any(matches(part, value) for part in either)) and all(
            isinstance(value, dict) and name in value and matches(part, value[name])
            for name, part in pattern.items()
            if name != "$or"
        )
    values = value if isinstance(value, list) else [value]
    return any(_takes(filtered, item) for filtered in pattern for item in values)


def _takes(filtered: Any, text: str) -> bool:
    if not isinstance(filtered, dict):
        return bool(filtered == text)
    ((kind, operand),) = filtered.items()
    if kind == "anything-but":
        return not text.startswith(operand["prefix"])
    if kind == "wildcard":
        return fnmatchcase(text, operand)
    return text.startswith(operand) if kind == "prefix" else kind == "suffix" and text.endswith(operand)


def event(call: Call) -> dict[str, Any]:
    service, name, parameters = call
    detail = {"eventSource": f"{service}.amazonaws.com", "eventName": name, "requestParameters": parameters}
    return {"source": f"aws.{service}", "detail-type": "AWS API Call via CloudTrail", "detail": detail}


def pattern_of(rule: str) -> Any:
    return deployed(**ERASING).properties(rule)["EventPattern"]


def test_every_rule_is_tried() -> None:
    assert TOLD.keys() == deployed().of_type("AWS::Events::Rule").keys()


@each("rule", TOLD)
def test_a_rule_tells_of_what_it_is_for_and_of_nothing_else(rule: str) -> None:
    for call in TOLD[rule]:
        assert matches(pattern_of(rule), event(call)), call
    for call in NOT_TOLD.get(rule, []):
        assert not matches(pattern_of(rule), event(call)), call


@each("rule", TOLD)
def test_a_pattern_is_no_longer_than_eventbridge_takes(rule: str) -> None:
    """2,048 characters, with the names and ARNs in it; references are some 30 characters shorter than those."""
    text = json.dumps(pattern_of(rule))
    assert len(text) + 60 * text.count("${") + 60 * text.count("arn:") < 2048


@pytest.mark.parametrize("rule", ["AuditChangeRule", "ScheduleChangeRule", "AlarmChangeRule", "SecretChangeRule"])
def test_a_notification_says_who_did_what_when_and_where_to_read_on(rule: str) -> None:
    (target,) = deployed().properties(rule)["Targets"]
    text = target["InputTransformer"]["InputTemplate"]
    section = re.search(r"docs/runbook\.md#([a-z-]+)", deployed().properties(rule)["Description"])
    assert section is not None
    assert target["Arn"] == "${AlarmTopic}"
    assert text.endswith(f'See {section[0]}"')
    assert set(re.findall(r"<(\w+)>", text)) == target["InputTransformer"]["InputPathsMap"].keys()


def test_functions_run_signed_code_alone_where_a_configuration_says_so() -> None:
    arn = "arn:aws:lambda:eu-central-1:123456789012:code-signing-config:csc-0123456789abcdef0"
    functions = deployed(CodeSigningConfigArn=arn).of_type("AWS::Lambda::Function")
    assert {found["CodeSigningConfigArn"] for found in functions.values()} == {arn}
    assert len(functions) == 7
    assert not any("CodeSigningConfigArn" in found for found in deployed().of_type("AWS::Lambda::Function").values())
