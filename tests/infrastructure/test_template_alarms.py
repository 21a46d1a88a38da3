"""What goes wrong raises an alarm that reaches a person and says where to read on."""

import json
import re
from typing import Any

import pytest

from tests.infrastructure import sam
from tests.infrastructure.stack import ERASING, WITNESS, deployed, listed

ALARM = "AWS::CloudWatch::Alarm"
TOPIC = ["${AlarmTopic}"]
NAMESPACE = "EventLog/${AWS::StackName}"
AUDIT, ERASES = {"service": "eventlog-chain_audit"}, {"service": "eventlog-erase"}
FUNCTIONS = [name.removesuffix("Function") for name in sam.FUNCTIONS]
WATCHED: dict[str, tuple[str, str, dict[str, str], str, str, int]] = {
    "TamperingFound": (NAMESPACE, "AuditFindings", AUDIT, "Sum", ">", 0),
    "OpenFindings": (NAMESPACE, "OpenFindings", AUDIT, "Maximum", ">", 0),
    "WitnessContradictions": (NAMESPACE, "WitnessContradictions", AUDIT, "Maximum", ">", 0),
    "WitnessFailures": (NAMESPACE, "WitnessFailures", AUDIT, "Minimum", ">", 0),
    "IncrementalAuditMissing": (NAMESPACE, "AuditsFinished", AUDIT | {"mode": "incremental"}, "Sum", "<", 1),
    "AuditIncomplete": (NAMESPACE, "IncompleteAudits", AUDIT, "Sum", ">", 0),
    "EventsUnanchored": (NAMESPACE, "UnanchoredEvents", AUDIT, "Maximum", ">", 0),
    "ErasureLag": (NAMESPACE, "ErasureLag", ERASES, "Maximum", ">", 3600),
    "ErasuresFailed": (NAMESPACE, "ErasuresFailed", ERASES, "Minimum", ">", 0),
    "Witness": (NAMESPACE, "WitnessAlarms", {"service": "eventlog-witness"}, "Sum", ">", 0),
    "ApiErrors": ("AWS/ApiGateway", "5xx", {"ApiId": "${HttpApi}"}, "Sum", ">=", 5),
    "DeadLetters": (
        *("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "${DeadLetterQueue.QueueName}"}),
        *("Maximum", ">", 0),
    ),
    "QueueAge": (
        *("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "${IngestQueue.QueueName}"}),
        *("Maximum", ">", 300),
    ),
}
for _name in FUNCTIONS:
    _alias = {"FunctionName": f"${{{_name}Function}}", "Resource": f"${{{_name}Function}}:live"}
    for _metric in ("Errors", "Throttles"):
        WATCHED[f"{_name}{_metric}"] = ("AWS/Lambda", _metric, _alias, "Sum", ">", 0)
COMPARISONS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": ">=",
    "LessThanThreshold": "<",
}


def alarms(**parameters: str | int) -> dict[str, sam.Json]:
    found = deployed(**WITNESS, **ERASING, **parameters).of_type(ALARM)
    return {name.removesuffix("Alarm"): alarm for name, alarm in found.items()}


def test_nothing_is_watched_that_is_not_listed_here() -> None:
    assert alarms().keys() == WATCHED.keys() | {"SettleLag", "WatchLag", "FullAuditMissing", "AuditsSkipped"}


@pytest.mark.parametrize("name", WATCHED)
def test_an_alarm_watches_its_metric(name: str) -> None:
    alarm = alarms()[name]
    dimensions = {found["Name"]: found["Value"] for found in alarm["Dimensions"]}
    comparison = COMPARISONS[alarm["ComparisonOperator"]]
    watched: tuple[Any, ...] = (alarm["Namespace"], alarm["MetricName"], dimensions, alarm["Statistic"])
    assert (*watched, comparison, alarm["Threshold"]) == WATCHED[name]


def test_without_a_witness_or_a_governance_key_nobody_is_told_of_one() -> None:
    absent = alarms().keys() - {name.removesuffix("Alarm") for name in deployed().of_type(ALARM)}
    assert absent == {"Witness", "WitnessErrors", "WitnessThrottles", "ErasureLag", "ErasuresFailed"}


def test_an_alarm_is_sent_and_so_is_its_end() -> None:
    for name, alarm in alarms().items():
        assert (alarm["AlarmActions"], alarm["OKActions"]) == (TOPIC, TOPIC), name


def test_an_alarm_has_the_name_of_its_stack_and_the_section_to_read_on() -> None:
    for name, alarm in alarms().items():
        slug = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
        section = re.sub(r"^.*-(errors|throttles)$", r"function-\1", slug) if name[:3] != "Api" else slug
        assert alarm["AlarmName"] == f"${{AWS::StackName}}-{slug}"
        assert alarm["AlarmDescription"].endswith(f" See docs/runbook.md#{section}")


def test_only_a_missing_audit_or_round_of_erasing_is_an_alarm_without_data() -> None:
    breaching = {name for name, alarm in alarms().items() if alarm["TreatMissingData"] == "breaching"}
    assert breaching == {"IncrementalAuditMissing", "FullAuditMissing", "ErasureLag"}
    assert {alarm["TreatMissingData"] for alarm in alarms().values()} == {"breaching", "notBreaching"}


def test_an_audit_is_missed_in_time() -> None:
    found = alarms(MissingAuditSeconds=600, MissingFullAuditHours=30)
    incremental, full = found["IncrementalAuditMissing"], found["FullAuditMissing"]
    assert incremental["Period"] * incremental["EvaluationPeriods"] == 600
    assert (full["ComparisonOperator"], full["Threshold"]) == ("GreaterThanThreshold", 30)
    assert alarms()["FullAuditMissing"]["Threshold"] == 26


def computed(alarm: sam.Json) -> tuple[str, dict[str, tuple[str, dict[str, str], str, int]]]:
    """The expression of an alarm, and the metrics of ours in it."""
    (shown, *others) = alarm["Metrics"]
    assert "MetricStat" not in shown
    found = {}
    for other in others:
        metric = other["MetricStat"]["Metric"]
        assert (metric["Namespace"], other["ReturnData"]) == (NAMESPACE, False)
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
        statistic = (other["MetricStat"]["Stat"], other["MetricStat"]["Period"])
        found[other["Id"]] = (metric["MetricName"], dimensions, *statistic)
    return shown["Expression"], found


def test_the_alarm_on_full_audits_is_on_the_age_of_the_newest_round() -> None:
    expression, metrics = computed(alarms(MissingAuditSeconds=600)["FullAuditMissing"])
    assert expression == "age / 3600"
    assert metrics == {"age": ("FullAuditAge", AUDIT, "Minimum", 600)}


def test_audits_that_are_skipped_while_none_finishes_are_an_alarm() -> None:
    alarm, mode = alarms(MissingAuditSeconds=600)["AuditsSkipped"], AUDIT | {"mode": "incremental"}
    expression, metrics = computed(alarm)
    assert expression == "IF(finished > 0, 0, skipped)"
    assert metrics == {name: (f"Audits{name.title()}", mode, "Sum", 600) for name in ("skipped", "finished")}
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["EvaluationPeriods"]) == (
        *("GreaterThanThreshold", 0),
        6,
    )
    function = deployed().properties("ChainAuditFunction")
    assert alarms(MissingAuditSeconds=180)["AuditsSkipped"]["EvaluationPeriods"] * 180 > function["Timeout"]


def test_what_an_audit_has_signed_counts_until_a_full_audit_is_missing() -> None:
    variables = deployed(MissingFullAuditHours=30).properties("ChainAuditFunction")["Environment"]["Variables"]
    assert str(variables["EVENTLOG_FULL_AUDIT_HOURS"]) == "30"


def test_a_finding_stays_an_alarm_for_a_day() -> None:
    alarm = alarms()["TamperingFound"]
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 24 * 3600
    assert alarm["DatapointsToAlarm"] == 1


def test_an_alarm_looks_back_no_further_than_cloudwatch_allows() -> None:
    for name, alarm in alarms(MissingAuditSeconds=3600, MissingFullAuditHours=168).items():
        period = alarm.get("Period", 300)
        assert period * alarm["EvaluationPeriods"] <= (7 if period >= 3600 else 1) * 86_400, name


def test_events_that_do_not_settle_are_an_alarm_after_as_long_as_audits_may_be_missing() -> None:
    alarm = alarms(MissingAuditSeconds=600)["SettleLag"]
    seconds, lag = alarm["Metrics"]
    assert (seconds["Expression"], seconds.get("ReturnData", True), lag["ReturnData"]) == ("lag / 1000", True, False)
    metric = lag["MetricStat"]["Metric"]
    assert (metric["Namespace"], metric["MetricName"], lag["MetricStat"]["Stat"]) == (
        NAMESPACE,
        "SettleLag",
        "Maximum",
    )
    assert metric["Dimensions"] == [{"Name": "service", "Value": "eventlog-chain_audit"}]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 600)


def test_changes_that_are_watched_late_are_an_alarm_after_as_long_as_audits_may_be_missing() -> None:
    alarm = alarms(MissingAuditSeconds=600)["WatchLag"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == (NAMESPACE, "WatchLag", "Maximum")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "eventlog-chain_audit"}]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 600)


def test_an_address_gets_mail_only_if_there_is_one() -> None:
    kind = "AWS::SNS::Subscription"
    assert not deployed().of_type(kind)
    (subscription,) = deployed(AlarmEmail="on-call@example.com").of_type(kind).values()
    assert subscription == {"TopicArn": "${AlarmTopic}", "Protocol": "email", "Endpoint": "on-call@example.com"}


def test_the_topic_is_encrypted_with_a_key_that_alarms_and_rules_may_use() -> None:
    assert deployed().properties("AlarmTopic")["KmsMasterKeyId"] == "${AlarmKey}", "alarms can't use alias/aws/sns"
    key = deployed().properties("AlarmKey")
    users = {
        found["Principal"]["Service"]: found
        for found in key["KeyPolicy"]["Statement"]
        if "Service" in found["Principal"]
    }
    assert key["EnableKeyRotation"] is True
    assert users.keys() == {"cloudwatch.amazonaws.com", "events.amazonaws.com"}
    assert all(found["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"] for found in users.values())
    own = {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}}
    assert users["cloudwatch.amazonaws.com"]["Condition"] == own


def test_the_alarms_and_rules_of_this_account_publish_over_tls() -> None:
    statements = deployed().properties("AlarmTopicPolicy")["PolicyDocument"]["Statement"]
    found = {statement["Sid"]: (statement["Effect"], statement["Condition"]) for statement in statements}
    rules = [f"${{{name}.Arn}}" for name in deployed().of_type("AWS::Events::Rule")]
    assert len(rules) == 6
    assert found == {
        "AlarmsPublish": ("Allow", {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}}),
        "RulesPublish": ("Allow", {"ArnEquals": {"aws:SourceArn": rules}}),
        "OverTlsOnly": ("Deny", {"Bool": {"aws:SecureTransport": "false"}}),
    }
    assert {statement["Action"] for statement in statements} == {"sns:Publish"}
    assert {statement["Resource"] for statement in statements} == {"${AlarmTopic}"}


@pytest.mark.parametrize(
    ("rule", "section", "calls"),
    [
        ("SigningKeyChangeRule", "signing-key-changed", {"ScheduleKeyDeletion", "DisableKey", "PutKeyPolicy"}),
        ("AnchorBucketChangeRule", "anchor-bucket-changed", {"PutBucketPolicy", "PutBucketObjectLockConfiguration"}),
    ],
)
def test_whoever_changes_what_protects_the_evidence_is_reported(rule: str, section: str, calls: set[str]) -> None:
    found = deployed(SigningKeys="second-and-first", **WITNESS, **ERASING).properties(rule)
    detail = found["EventPattern"]["detail"]
    (target,) = found["Targets"]
    assert calls <= set(detail["eventName"])
    concerned = detail.get("resources", {}).get("ARN") or detail["requestParameters"]["bucketName"]
    keys = ["${SigningKey.Arn}", "${SecondSigningKey.Arn}", "${WitnessKey.Arn}", "${GovernanceKey.Arn}"]
    assert concerned in (keys, ["${AnchorBucket}", "${WitnessBucket}"])
    assert target["Arn"] == "${AlarmTopic}"
    assert f"docs/runbook.md#{section}" in target["InputTransformer"]["InputTemplate"]
    assert found["Description"].endswith(f" See docs/runbook.md#{section}")
    placeholders = set(re.findall(r"<(\w+)>", target["InputTransformer"]["InputTemplate"]))
    assert placeholders == target["InputTransformer"]["InputPathsMap"].keys()


def dashboard(**parameters: str | int) -> list[sam.Json]:
    body = json.loads(deployed(**parameters).properties("Dashboard")["DashboardBody"])
    return [widget["properties"] for widget in body["widgets"]]


@pytest.mark.parametrize("parameters", [{}, WITNESS, ERASING])
def test_the_dashboard_shows_every_alarm(parameters: dict[str, str | int]) -> None:
    (shown,) = [found["alarms"] for found in dashboard(**parameters) if "alarms" in found]
    assert set(shown) == {f"${{{name}.Arn}}" for name in deployed(**parameters).of_type(ALARM)}


def test_the_dashboard_shows_how_the_log_is() -> None:
    text = json.dumps([listed(found.get("metrics", [])) for found in dashboard()])
    for metric in (
        *("Events", "Conflicts", "SettleLag", "PendingEvents", "UnanchoredEvents", "AuditCoverage", "AnchoredSize"),
        *(
            "AuditFindings",
            "IncompleteAudits",
            "AuditsFinished",
            "AuditsSkipped",
            "FullAuditAge",
            "Latency",
            "5xx",
            "Errors",
            "Throttles",
            "Duration",
        ),
        *("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"),
    ):
        assert f'"{metric}"' in text or f'MetricName=\\\\\\"{metric}\\\\\\"' in text, metric


def test_widgets_of_the_dashboard_do_not_overlap() -> None:
    widgets = json.loads(deployed().properties("Dashboard")["DashboardBody"])["widgets"]
    cells = [
        (x, y)
        for found in widgets
        for x in range(found["x"], found["x"] + found["width"])
        for y in range(found["y"], found["y"] + found["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
