"""The audits run by themselves, and calls move to a new version of a function step by step."""

import json

import pytest

from tests.infrastructure import sam
from tests.infrastructure.stack import ERASING, NEEDED, WITNESS, deployed

ALIAS = "AWS::Lambda::Alias"
VERSION = "AWS::Lambda::Version"
MOVED = [name for name in sam.FUNCTIONS if name != "WitnessFunction"]
"""The functions whose calls move step by step."""


def schedule(mode: str, **parameters: str | int) -> sam.Json:
    found = deployed(**parameters).of_type("AWS::Scheduler::Schedule").values()
    (only,) = [one for one in found if json.loads(one["Target"]["Input"])["mode"] == mode]
    return only


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_a_schedule_sends_its_sample_event_to_the_alias_in_time(mode: str) -> None:
    found = schedule(mode)
    assert json.loads(found["Target"]["Input"]) == sam.sample(f"schedule-{mode}")
    assert found["Target"]["Arn"] == "${ChainAuditFunctionAliaslive}"
    assert found["FlexibleTimeWindow"] == {"Mode": "OFF"}


def test_what_is_anchored_is_erased_within_a_minute_where_a_governance_key_counts() -> None:
    found = schedule("erase", **ERASING)
    assert json.loads(found["Target"]["Input"]) == sam.sample("schedule-erase")
    assert (found["Target"]["Arn"], found["ScheduleExpression"]) == ("${EraseFunctionAliaslive}", "rate(1 minute)")
    states = [schedule("erase", **given)["State"] for given in ({}, {"EraseMongoSecretArn": "x"}, ERASING)]
    assert states == ["DISABLED", "DISABLED", "ENABLED"]


def test_there_are_no_other_schedules() -> None:
    assert len(deployed().of_type("AWS::Scheduler::Schedule")) == 3


@pytest.mark.parametrize(("minutes", "rate"), [(1, "rate(1 minute)"), (2, "rate(2 minutes)"), (15, "rate(15 minutes)")])
def test_the_incremental_audit_comes_as_often_as_the_parameter_says(minutes: int, rate: str) -> None:
    assert schedule("incremental", AuditMinutes=minutes)["ScheduleExpression"] == rate
    assert minutes in sam.source()["Parameters"]["AuditMinutes"]["AllowedValues"]


def test_the_full_audit_comes_daily_or_as_the_parameter_says() -> None:
    assert schedule("full")["ScheduleExpression"] == "rate(1 day)"
    assert schedule("full", FullAuditSchedule="cron(0 3 * * ? *)")["ScheduleExpression"] == "cron(0 3 * * ? *)"


@pytest.mark.parametrize(("mode", "seconds"), [("incremental", 60), ("full", 3600)])
def test_a_call_that_was_refused_is_tried_again_until_it_is_of_no_use(mode: str, seconds: int) -> None:
    retries = schedule(mode)["Target"]["RetryPolicy"]
    assert retries["MaximumEventAgeInSeconds"] == seconds
    assert retries["MaximumRetryAttempts"] >= 1


def test_an_audit_that_failed_is_tried_once_more() -> None:
    """A round of erasing is not: the next one is a minute away."""
    configs = deployed().of_type("AWS::Lambda::EventInvokeConfig").values()
    assert {found["Qualifier"] for found in configs} == {"live"}
    assert {
        found["FunctionName"]: (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) for found in configs
    } == {"${ChainAuditFunction}": (1, 900), "${EraseFunction}": (0, 60)}


def test_an_alarm_for_a_missing_audit_leaves_time_for_two_more() -> None:
    parameters = sam.source()["Parameters"]
    assert parameters["MissingAuditSeconds"]["Default"] >= 3 * 60 * parameters["AuditMinutes"]["Default"]
    assert parameters["MissingFullAuditHours"]["Default"] > 24


@pytest.mark.parametrize("function", MOVED)
def test_calls_move_to_a_new_version_step_by_step_and_back_on_an_alarm(function: str) -> None:
    resource = sam.resources()[f"{function}Aliaslive"]
    update = resource["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    group = deployed().properties(update["DeploymentGroupName"]["Ref"])
    name = function.removesuffix("Function")
    alarms = {alarm["Name"] for alarm in group["AlarmConfiguration"]["Alarms"]}
    api = set() if name in {"IngestQueue", "ChainAudit"} else {"${ApiErrorsAlarm}"}
    assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert group["AlarmConfiguration"]["Enabled"] is True
    assert alarms == {f"${{{name}ErrorsAlarm}}"} | api
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert group["ServiceRoleArn"] == "${DeploymentRole.Arn}"


@pytest.mark.parametrize("preference", ["AllAtOnce", "Linear10PercentEvery1Minute"])
def test_how_calls_move_is_a_parameter(preference: str) -> None:
    groups = deployed(DeploymentPreference=preference).of_type("AWS::CodeDeploy::DeploymentGroup").values()
    assert len(groups) == len(MOVED)
    assert {group["DeploymentConfigName"] for group in groups} == {f"CodeDeployDefault.Lambda{preference}"}


def versions(parameters: dict[str, str], artifacts: dict[str, str]) -> set[str]:
    found = sam.transformed(NEEDED | WITNESS | parameters, artifacts, extensions=True)["Resources"]
    return {name for name, resource in found.items() if resource["Type"] == VERSION}


def test_a_stack_without_a_witness_is_one_that_sam_can_make() -> None:
    """AWS::LanguageExtensions takes every reference out of what is not made, before SAM looks at it."""
    found = sam.transformed(NEEDED, {}, extensions=True)["Resources"]
    assert "Type" not in found["WitnessFunction"]["Properties"].get("DeploymentPreference", {})


def test_a_function_gets_a_new_version_when_its_code_changes() -> None:
    before = versions({}, {})
    assert len(before) == len(sam.FUNCTIONS)
    assert before == versions({}, {})
    assert not before & versions({}, {"EventLogLayer": "s3://bucket/other"}), "nearly all code is in the layer"
    assert len(before & versions({}, {"QueryFunction": "s3://bucket/other"})) == len(sam.FUNCTIONS) - 1


@pytest.mark.parametrize(
    ("parameter", "value", "concerned"),
    [
        *(("LogLevel", "DEBUG", 8), ("LogOrigin", "other", 7), ("MongoDatabase", "other", 7), ("Tracing", "Active", 8)),
        *(("SubnetIds", "subnet-a", 7), ("IngestMongoSecretArn", "other", 2), ("QueryMongoSecretArn", "other", 2)),
        *(
            ("AuditMongoSecretArn", "other", 2),
            ("ChainsClaim", "other", 5),
            ("BasePath", "/o", 6),
            ("AsyncByDefault", "true", 1),
        ),
        *(("RetiredKeys", "other", 3), ("AnchorRetentionDays", "7", 3), ("SigningKeys", "second-and-first", 3)),
        *(("WitnessPolicy", "/witnesses", 2), ("WitnessChains", "main", 2), ("WitnessFreshSeconds", "60", 2)),
        ("NewChainsPerDay", "7", 1),
        ("PayloadsApartFrom", "8192", 3),
        ("AnchorPacks", "true", 2),
        ("WitnessName", "witness.example.com/w2", 1),
        *(("EraseMongoSecretArn", "other", 1), ("GovernanceKeys", "other", 3), ("ErasureApprovals", "2", 1)),
    ],
)
def test_a_function_gets_a_new_version_when_a_parameter_that_it_runs_with_changes(
    parameter: str, value: str, concerned: int
) -> None:
    assert len(versions({}, {}) - versions({parameter: value}, {})) == concerned
