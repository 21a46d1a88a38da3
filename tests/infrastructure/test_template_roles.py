"""Each role may do what its function does, on exactly the resources that it does it to."""

import json

import pytest

from tests.infrastructure import sam
from tests.infrastructure.stack import ERASING, NEEDED, WITNESS, deployed, listed

ROLE = "AWS::IAM::Role"
SECRETS = {
    "Ingest": "Ingest",
    "Query": "Query",
    "Stream": "Query",
    "IngestQueue": "Ingest",
    "ChainAudit": "Audit",
    "AuditRequests": "Audit",
    "Erase": "Erase",
}
_ANCHORS = {
    ("s3:PutObject", "${AnchorBucket.Arn}/*"),
    ("s3:PutObjectRetention", "${AnchorBucket.Arn}/*"),
    ("s3:GetObject", "${AnchorBucket.Arn}/*"),
    ("s3:ListBucket", "${AnchorBucket.Arn}"),
}
EVERYTHING: dict[str, str | int] = {
    **WITNESS,
    **ERASING,
    "Tracing": "Active",
    "SubnetIds": "subnet-a",
    "SecurityGroupIds": "sg-a",
    "MongoSecretKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/secrets",
}
"""Parameters with which the roles may most."""
OWN = {
    "Ingest": {("sqs:SendMessage", "${IngestQueue.Arn}")},
    "Query": set[tuple[str, str]](),
    "Stream": set[tuple[str, str]](),
    "ChainAudit": _ANCHORS,
    "AuditRequests": _ANCHORS,
    "IngestQueue": {
        ("sqs:ReceiveMessage", "${IngestQueue.Arn}"),
        ("sqs:DeleteMessage", "${IngestQueue.Arn}"),
        ("sqs:GetQueueAttributes", "${IngestQueue.Arn}"),
        ("sqs:SendMessage", "${DeadLetterQueue.Arn}"),
    },
    "Erase": {
        ("s3:PutObject", "${AnchorBucket.Arn}/_governance/*"),
        ("s3:PutObjectRetention", "${AnchorBucket.Arn}/_governance/*"),
        ("s3:GetObject", "${AnchorBucket.Arn}/_governance/*"),
        ("s3:ListBucket", "${AnchorBucket.Arn}"),
    },
}
OBJECTS = {"${AnchorBucket.Arn}/*", "${AnchorBucket.Arn}/_governance/*", "${WitnessBucket.Arn}/*"}
TRACES = {("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*")}
INTERFACES = {
    ("ec2:AssignPrivateIpAddresses", "*"),
    ("ec2:CreateNetworkInterface", "*"),
    ("ec2:DeleteNetworkInterface", "*"),
    ("ec2:DescribeNetworkInterfaces", "*"),
    ("ec2:DescribeSubnets", "*"),
    ("ec2:UnassignPrivateIpAddresses", "*"),
}


def granted(role: str, **parameters: str | int) -> set[tuple[str, str]]:
    """Each action that a role's policies allow, with each resource they allow it on."""
    found = deployed(**parameters).statements(role)
    assert {statement["Effect"] for statement in found} == {"Allow"}
    return {(action, arn) for one in found for action in listed(one["Action"]) for arn in listed(one["Resource"])}


def common(name: str) -> set[tuple[str, str]]:
    secret = (NEEDED | ERASING)[f"{SECRETS[name]}MongoSecretArn"]
    group = f"${{{name}LogGroup.Arn}}"
    logs = {("logs:CreateLogStream", group), ("logs:PutLogEvents", group)}
    return logs | {("secretsmanager:GetSecretValue", secret), ("ssm:GetParameter", secret)}


@pytest.mark.parametrize("name", OWN)
def test_a_function_may_log_read_its_secret_and_do_its_own_work(name: str) -> None:
    assert deployed().properties(f"{name}Function")["Role"] == f"${{{name}FunctionRole.Arn}}"
    assert granted(f"{name}FunctionRole", **ERASING) == common(name) | OWN[name]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize(
    ("parameters", "needed"),
    [
        (["Tracing"], TRACES),
        (["SubnetIds", "SecurityGroupIds"], INTERFACES),
        (["MongoSecretKeyArn"], {("kms:Decrypt", str(EVERYTHING["MongoSecretKeyArn"]))}),
    ],
)
def test_a_function_may_trace_join_a_vpc_or_decrypt_only_if_it_has_to(
    name: str, parameters: list[str], needed: set[tuple[str, str]]
) -> None:
    chosen = {parameter: EVERYTHING[parameter] for parameter in parameters}
    assert granted(f"{name}FunctionRole", **ERASING, **chosen) == common(name) | OWN[name] | needed


@pytest.mark.parametrize("name", ["ChainAudit", "AuditRequests"])
def test_an_audit_reads_the_policy_of_witnesses_if_there_is_one(name: str) -> None:
    arn = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/log/witnesses"
    more = granted(f"{name}FunctionRole", WitnessPolicy="/log/witnesses") - granted(f"{name}FunctionRole")
    assert more == {("ssm:GetParameter", arn)}


@pytest.mark.parametrize("name", OWN)
def test_a_function_decrypts_nothing_but_secrets(name: str) -> None:
    (statement,) = [
        found for found in deployed(**EVERYTHING).statements(f"{name}FunctionRole") if "kms:Decrypt" in str(found)
    ]
    services = ["secretsmanager.${AWS::Region}.amazonaws.com", "ssm.${AWS::Region}.amazonaws.com"]
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": services}}


def test_what_the_functions_share_is_all_that_stands_outside_of_their_roles() -> None:
    """No role has a policy that AWS manages, and no other role has the one of the functions."""
    roles = deployed(**EVERYTHING).of_type(ROLE)
    assert "ManagedPolicyArns" not in roles["WitnessFunctionRole"], "it has no secret and joins no VPC"
    shared = {name: role["ManagedPolicyArns"] for name, role in roles.items() if role.get("ManagedPolicyArns")}
    assert shared == {f"{name}FunctionRole": ["${FunctionPolicy}"] for name in OWN}
    assert deployed(**EVERYTHING).of_type("AWS::IAM::ManagedPolicy").keys() == {"FunctionPolicy"}


def test_a_policy_without_statements_is_not_made() -> None:
    assert not deployed().of_type("AWS::IAM::ManagedPolicy")
    assert {tuple(deployed().properties(f"{name}FunctionRole")["ManagedPolicyArns"]) for name in OWN} == {()}


def test_no_action_has_a_wildcard_and_no_resource_but_those_that_have_no_names() -> None:
    nameless = TRACES | INTERFACES | {("cloudwatch:DescribeAlarms", "*")}
    for role in deployed(**EVERYTHING).of_type(ROLE):
        for action, arn in granted(role, **EVERYTHING) - nameless:
            assert "*" not in action, role
            assert "*" not in arn or arn in OBJECTS, role


@pytest.mark.parametrize(
    ("service", "roles"),
    [
        ("lambda", {f"{name}FunctionRole" for name in (*OWN, "Witness")}),
        ("scheduler", {"ChainAuditFunctionIncrementalRole", "ChainAuditFunctionFullRole", "EraseFunctionRoundRole"}),
        ("codedeploy", {"DeploymentRole"}),
    ],
)
def test_one_service_alone_takes_on_a_role(service: str, roles: set[str]) -> None:
    found = {
        name: role["AssumeRolePolicyDocument"]["Statement"]
        for name, role in deployed(**WITNESS).of_type(ROLE).items()
        if f"{service}.amazonaws.com" in json.dumps(role["AssumeRolePolicyDocument"])
    }
    assert found.keys() == roles
    for (statement,) in found.values():
        assert listed(statement["Principal"]["Service"]) == [f"{service}.amazonaws.com"]


def test_there_are_no_other_roles() -> None:
    assert len(deployed(**WITNESS).of_type(ROLE)) == len(sam.FUNCTIONS) + 4


@pytest.mark.parametrize("tracing", ["Disabled", "Active"])
def test_the_witness_may_log_and_remember_and_knows_no_secret(tracing: str) -> None:
    group = "${WitnessLogGroup.Arn}"
    expected = {
        *(("logs:CreateLogStream", group), ("logs:PutLogEvents", group)),
        *(("s3:GetObject", "${WitnessBucket.Arn}/*"), ("s3:PutObject", "${WitnessBucket.Arn}/*")),
        *(("s3:ListBucket", "${WitnessBucket.Arn}"), ("s3:ListBucketVersions", "${WitnessBucket.Arn}")),
    }
    everything = {**EVERYTHING, "Tracing": tracing}
    assert granted("WitnessFunctionRole", **everything) == expected | (TRACES if tracing == "Active" else set())
    assert "WitnessFunctionRole" not in deployed().resources


@pytest.mark.parametrize(
    ("function", "schedule"), [("ChainAudit", "Incremental"), ("ChainAudit", "Full"), ("Erase", "Round")]
)
def test_a_schedule_may_call_its_function_and_nothing_else(function: str, schedule: str) -> None:
    role = f"{function}Function{schedule}Role"
    assert granted(role) == {("lambda:InvokeFunction", f"${{{function}FunctionAliaslive}}")}


def test_a_deployment_moves_the_aliases_of_these_functions_and_no_others() -> None:
    moved = [name for name in sam.FUNCTIONS if name != "WitnessFunction"]
    arns = {f"${{{name}.Arn}}{alias}" for name in moved for alias in ("", ":live")}
    assert {arn for action, arn in granted("DeploymentRole") if action == "lambda:UpdateAlias"} == arns
    assert {action for action, _ in granted("DeploymentRole")} == {
        "cloudwatch:DescribeAlarms",
        "lambda:GetAlias",
        "lambda:GetProvisionedConcurrencyConfig",
        "lambda:UpdateAlias",
    }
