"""The template is valid, closed by default, least-privileged, and names the routes that the code has."""

import importlib
import json
import re
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.infrastructure import sam

pytestmark = pytest.mark.xdist_group("sam")
HTTP_SAMPLES = [name for name in sam.samples() if not name.startswith("schedule-")]
LAMBDA = "AWS::Lambda::Function"
ROUTE = "AWS::ApiGatewayV2::Route"
ADD_AND_READ = {
    "Effect": "Allow",
    "Action": ["s3:PutObject", "s3:PutObjectRetention", "s3:GetObject"],
    "Resource": {"Fn::Sub": "${AnchorBucket.Arn}/*"},
}
LIST = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": {"Fn::GetAtt": ["AnchorBucket", "Arn"]}}
EVIDENCE = {
    "EVENTLOG_ANCHORS": {"Fn::Sub": "s3://${AnchorBucket}"},
    "EVENTLOG_ANCHOR_RETENTION_DAYS": {"Ref": "AnchorRetentionDays"},
    "EVENTLOG_SIGNING_KEYS": {"Fn::Sub": "kms:${SigningKey}"},
    "EVENTLOG_RETIRED_KEYS": {"Ref": "RetiredKeys"},
}
BASIC_EXECUTION = "service-role/AWSLambdaBasicExecutionRole"


def roles_assumed_by(service: str) -> dict[str, sam.Json]:
    found = sam.of_type("AWS::IAM::Role")
    return {name: role for name, role in found.items() if service in json.dumps(role["AssumeRolePolicyDocument"])}


def statements(role: sam.Json) -> list[sam.Json]:
    return [statement for policy in role.get("Policies", []) for statement in policy["PolicyDocument"]["Statement"]]


def routes_in_code(function: str) -> set[str]:
    router = importlib.import_module(f"functions.{function}.app").router
    paths = [(route, route.path.replace(":path}", "+}")) for route in router.routes]
    return {f"{method} {path}" for route, path in paths for method in route.methods}


def test_sam_finds_nothing_to_complain_about() -> None:
    done = sam.run("validate", "--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_function_runs_the_handler_of_its_app() -> None:
    functions = sam.of_type(LAMBDA)
    assert functions.keys() == sam.FUNCTIONS.keys()
    for function in functions.values():
        assert (function["Handler"], function["Runtime"]) == ("app.handler", "python3.13")
        assert function["Layers"][0]["Ref"].startswith("EventLogLayer")


@pytest.mark.parametrize("name", sam.FUNCTIONS)
def test_every_function_gets_the_settings_it_reads(name: str) -> None:
    variables = sam.of_type(LAMBDA)[name]["Environment"]["Variables"]
    assert variables["MONGO_URI_SECRET"] == {"Ref": "MongoSecretArn"}
    assert variables["POWERTOOLS_SERVICE_NAME"] == f"eventlog-{sam.FUNCTIONS[name]}"
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "EventLog"
    assert variables.keys() >= {"MONGO_DATABASE", "EVENTLOG_ORIGIN", "EVENTLOG_TRACING", "POWERTOOLS_LOG_LEVEL"}
    assert "MONGO_URI" not in variables


@pytest.mark.parametrize("name", sam.FUNCTIONS)
def test_every_function_logs_to_its_own_group_with_a_retention(name: str) -> None:
    group = sam.of_type(LAMBDA)[name]["LoggingConfig"]["LogGroup"]["Ref"]
    assert group == name.replace("Function", "LogGroup")
    assert "RetentionInDays" in sam.of_type("AWS::Logs::LogGroup")[group]


def test_functions_behind_the_api_end_before_the_api_gives_up() -> None:
    timeouts = {name: function["Timeout"] for name, function in sam.of_type(LAMBDA).items()}
    assert max(timeouts["IngestFunction"], timeouts["QueryFunction"]) < 30
    assert timeouts["ChainAuditFunction"] == 900


@pytest.mark.parametrize("function", sam.FUNCTIONS)
def test_the_template_has_the_routes_that_the_function_serves(function: str) -> None:
    in_template = {key for key, target in sam.routes().items() if target == function}
    assert in_template == routes_in_code(sam.FUNCTIONS[function])


def test_every_route_wants_iam_or_a_token() -> None:
    for name, route in sam.of_type(ROUTE).items():
        assert route["AuthorizationType"] == {"Fn::If": ["UsesJwt", "JWT", "AWS_IAM"]}, name
        assert route["AuthorizerId"]["Fn::If"][:2] == ["UsesJwt", {"Ref": "JwtAuthorizer"}], name


def test_no_route_catches_all() -> None:
    greedy = [key for key in sam.routes() if "$default" in key or "+}" in key or key.startswith("ANY ")]
    assert greedy == ["GET /api/v1/chains/{chain}/tlog/tile/{level}/{tile+}"], "a tile's name has slashes"


def test_the_api_may_call_every_function_it_leads_to() -> None:
    permissions = sam.of_type("AWS::Lambda::Permission").values()
    assert {permission["FunctionName"]["Ref"] for permission in permissions} == set(sam.routes().values())
    for permission in permissions:
        assert "${HttpApi}/" in permission["SourceArn"]["Fn::Sub"]


def test_each_function_may_log_and_read_the_one_secret() -> None:
    roles = roles_assumed_by("lambda.amazonaws.com")
    assert roles.keys() == {f"{name}Role" for name in sam.FUNCTIONS}
    for role in roles.values():
        (managed,) = role["ManagedPolicyArns"]
        (statement,) = [found for found in statements(role) if "AnchorBucket" not in json.dumps(found)]
        assert managed.endswith(BASIC_EXECUTION)
        assert statement["Effect"] == "Allow"
        assert statement["Action"] in ("secretsmanager:GetSecretValue", ["secretsmanager:GetSecretValue"])
        assert statement["Resource"] == {"Fn::Sub": ["${secretArn}", {"secretArn": {"Ref": "MongoSecretArn"}}]}


def test_the_audit_alone_may_add_anchors_and_read_them() -> None:
    granted = [
        (name, statement)
        for name, role in sam.of_type("AWS::IAM::Role").items()
        for statement in statements(role)
        if "AnchorBucket" in json.dumps(statement)
    ]
    assert granted == [("ChainAuditFunctionRole", statement) for statement in (ADD_AND_READ, LIST)]


def test_the_audit_alone_knows_anchors_and_keys() -> None:
    for name, function in sam.of_type(LAMBDA).items():
        variables = function["Environment"]["Variables"]
        found = {key: value for key, value in variables.items() if "ANCHOR" in key or "KEYS" in key}
        assert found == (EVIDENCE if name == "ChainAuditFunction" else {})


def test_the_scheduler_may_call_the_audit_and_nothing_else() -> None:
    for role in roles_assumed_by("scheduler.amazonaws.com").values():
        (statement,) = statements(role)
        assert statement["Action"] == "lambda:InvokeFunction"
        assert statement["Resource"] == {"Fn::GetAtt": ["ChainAuditFunction", "Arn"]}


def test_no_statement_has_a_wildcard() -> None:
    for name, role in sam.of_type("AWS::IAM::Role").items():
        assert "*" not in json.dumps([found for found in statements(role) if found != ADD_AND_READ]), name


def test_the_schedules_send_the_sample_events() -> None:
    schedules = sam.of_type("AWS::Scheduler::Schedule").values()
    sent = sorted(json.loads(schedule["Target"]["Input"])["mode"] for schedule in schedules)
    assert sent == ["full", "incremental"]
    for schedule in schedules:
        event = json.loads(schedule["Target"]["Input"])
        assert event == sam.sample(f"schedule-{event['mode']}")


@pytest.mark.parametrize("name", ["template.yaml", "samconfig.toml", *(f"events/{n}.json" for n in sam.samples())])
def test_no_file_holds_a_secret(name: str) -> None:
    text = (sam.ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"mongodb(\+srv)?://|(AKIA|ASIA)(?!\w*EXAMPLE)[A-Z0-9]{16}|PRIVATE KEY|password", text)


def test_every_route_has_a_sample_event() -> None:
    assert {sam.sample(name)["routeKey"] for name in HTTP_SAMPLES} == sam.routes().keys()


@pytest.mark.parametrize("name", HTTP_SAMPLES)
def test_a_sample_event_agrees_with_itself(name: str) -> None:
    event: dict[str, Any] = sam.sample(name)
    context = event["requestContext"]
    method, path = event["routeKey"].split(" ")
    assert event["version"] == "2.0"
    assert context["routeKey"] == event["routeKey"]
    assert (context["http"]["method"], context["http"]["path"]) == (method, event["rawPath"])
    assert path.replace("+}", "}").format(**event.get("pathParameters", {})) == event["rawPath"]
    assert dict(parse_qsl(event["rawQueryString"])).keys() == event.get("queryStringParameters", {}).keys()
    assert context["authorizer"].keys() <= {"iam", "jwt"}
    assert all(key == key.lower() for key in event["headers"])
