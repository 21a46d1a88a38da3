"""Long chains are shared by executions only if a parameter says so, and what hands the work out may do nothing else."""

import json

from tests.infrastructure import sam
from tests.infrastructure.stack import deployed, listed

SHARED = {"AuditSegmentConcurrency": 4}
MACHINE = "AWS::StepFunctions::StateMachine"


def definition() -> sam.Json:
    """What the state machine does."""
    found: sam.Json = deployed(**SHARED).properties("SharedAudit")["Definition"]
    return found


def granted() -> set[tuple[str, str]]:
    stack = deployed(**SHARED)
    policies = [*stack.properties("SharedAuditRole")["Policies"], stack.properties("SharedAuditPolicy")]
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    return {(action, arn) for one in statements for action in listed(one["Action"]) for arn in listed(one["Resource"])}


def test_nothing_is_made_for_it_unless_it_is_asked_for() -> None:
    assert not deployed().of_type(MACHINE)
    assert not [name for name in deployed().resources if name.startswith("SharedAudit")]


def test_then_the_state_machine_is_what_the_schedule_of_full_audits_starts() -> None:
    schedules = deployed(**SHARED, FullAuditSchedule="rate(2 days)").of_type("AWS::Scheduler::Schedule")
    full = schedules["SharedAuditFull"]
    assert (full["ScheduleExpression"], full["Target"]["Arn"]) == ("rate(2 days)", "${SharedAudit}")
    assert json.loads(full["Target"]["Input"]) == {"at_once": 4}
    assert schedules["ChainAuditFunctionFull"]["State"] == "DISABLED"
    assert deployed().of_type("AWS::Scheduler::Schedule")["ChainAuditFunctionFull"]["State"] == "ENABLED"


def test_it_sends_the_sample_events_and_concludes_whatever_fails() -> None:
    states = definition()["States"]
    assert states["Plan"]["Parameters"]["Payload"] == sam.sample("share-full-audit")
    assert states["Alone"]["Parameters"]["Payload"] == sam.sample("schedule-full")
    conclude = states["Conclude"]["Parameters"]["Payload"]
    assert conclude.pop("round.$") == "$.plan.round"
    assert conclude | {"round": "01936f00-0000-7000-8000-0000000000f0"} == sam.sample("conclude-full-audit")
    assert states["Plan"]["ResultSelector"] == {"items.$": "$.Payload.items", "round.$": "$.Payload.round"}
    share = states["Share"]
    assert share["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    assert (share["ToleratedFailurePercentage"], share["MaxConcurrencyPath"]) == (100, "$.at_once")
    assert share["ItemsPath"] == "$.plan.items"
    assert [states[name]["Catch"][0]["Next"] for name in ("Plan", "Share")] == ["Alone", "LetGo"]
    assert states["LetGo"]["Seconds"] > 10, "so long an audit counts as at work"


def test_every_call_of_the_audit_is_tried_again_if_lambda_refuses_it() -> None:
    states = definition()["States"]
    calls = [states["Plan"], states["Alone"], states["Conclude"], *states["Share"]["ItemProcessor"]["States"].values()]
    assert len(calls) == 4
    for call in calls:
        assert call["Parameters"]["FunctionName"] == "${Audit}"
        assert "Lambda.TooManyRequestsException" in call["Retry"][0]["ErrorEquals"]
        assert call["Retry"][0]["MaxAttempts"] >= 3


def test_it_may_call_the_audit_run_its_map_and_log() -> None:
    machine, states = "${SharedAudit}", "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution"
    found = {(action, arn) for action, arn in granted() if not action.startswith("logs:")}
    assert found == {
        ("lambda:InvokeFunction", "${ChainAuditFunctionAliaslive}"),
        ("states:StartExecution", machine),
        *(
            (f"states:{action}", f"{states}:${{SharedAudit.Name}}{rest}")
            for action in ("DescribeExecution", "StopExecution")
            for rest in (":*", "/*")
        ),
    }
    trusted = deployed(**SHARED).properties("SharedAuditRole")["AssumeRolePolicyDocument"]["Statement"]
    assert [statement["Principal"] for statement in trusted] == [{"Service": "states.amazonaws.com"}]
    role = deployed(**SHARED).properties("SharedAuditFullRole")
    assert role["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"] == "states:StartExecution"


def test_it_logs_failures_to_a_group_of_its_own_and_no_data() -> None:
    logging = deployed(**SHARED).properties("SharedAudit")["LoggingConfiguration"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", False)
    (group,) = logging["Destinations"]
    assert group["CloudWatchLogsLogGroup"]["LogGroupArn"] == "${SharedAuditLogGroup.Arn}"
    name = deployed(**SHARED).properties("SharedAuditLogGroup")["LogGroupName"]
    assert name.startswith("/aws/vendedlogs/states/")


def test_the_audit_has_an_execution_for_each_that_shares() -> None:
    for at_once in sam.source()["Parameters"]["AuditSegmentConcurrency"]["AllowedValues"]:
        function = deployed(AuditSegmentConcurrency=at_once).properties("ChainAuditFunction")
        assert function["ReservedConcurrentExecutions"] == 3 + int(at_once)


def test_an_event_that_waits_too_long_is_an_alarm_only_where_audits_roll() -> None:
    assert "RehashOverdueAlarm" not in deployed().resources
    alarm = deployed(RehashDays=30).properties("RehashOverdueAlarm")
    assert alarm["Threshold"] == 30
    expression, age = alarm["Metrics"]
    assert (expression["Expression"], age["MetricStat"]["Metric"]["MetricName"]) == ("age / 86400", "RehashAge")
    assert alarm["AlarmActions"] == alarm["OKActions"] == ["${AlarmTopic}"]
    assert alarm["EvaluationPeriods"] * age["MetricStat"]["Period"] <= 86_400, "as far as CloudWatch looks back"
