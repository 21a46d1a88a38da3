"""The template is valid, and its functions run what they are to, with what they need."""

import re
from typing import Any
from urllib.parse import parse_qsl

import pytest

from eventlog.settings import Settings
from functions.erase.app import SECONDS
from tests.infrastructure import sam
from tests.infrastructure.stack import ERASING, NEEDED, WITNESS, deployed

LAMBDA = "AWS::Lambda::Function"
HTTP_SAMPLES = [name for name in sam.samples() if "routeKey" in sam.sample(name)]
SECRETS = {
    "IngestFunction": "IngestMongoSecretArn",
    "QueryFunction": "QueryMongoSecretArn",
    "StreamFunction": "QueryMongoSecretArn",
    "ChainAuditFunction": "AuditMongoSecretArn",
    "AuditRequestsFunction": "AuditMongoSecretArn",
    "IngestQueueFunction": "IngestMongoSecretArn",
    "EraseFunction": "EraseMongoSecretArn",
}
_EVIDENCE: sam.Json = {
    "EVENTLOG_ANCHORS": "s3://${AnchorBucket}",
    "EVENTLOG_ANCHOR_RETENTION_DAYS": 7,
    "EVENTLOG_SIGNING_KEYS": "kms:${SigningKey}",
    "EVENTLOG_RETIRED_KEYS": "old",
    "EVENTLOG_GOVERNANCE_KEYS": ERASING["GovernanceKeys"],
}
_ANCHORS: sam.Json = _EVIDENCE | {
    "EVENTLOG_WITNESS_POLICY": "ssm:/log/witnesses",
    "EVENTLOG_WITNESS_CHAINS": "main, shop*",
    "EVENTLOG_WITNESS_FRESH_SECONDS": 60,
    "EVENTLOG_ANCHOR_PACKS": "true",
}
_CALLERS = {"EVENTLOG_CHAINS_CLAIM": "mine", "EVENTLOG_SCOPE_PREFIX": "log/", "EVENTLOG_BASE_PATH": "/log"}
OWN_SETTINGS: dict[str, sam.Json] = {
    "IngestFunction": {
        "EVENTLOG_QUEUE_URL": "${IngestQueue}",
        "EVENTLOG_ASYNC": "true",
        "EVENTLOG_NEW_CHAINS_PER_DAY": 7,
        "EVENTLOG_PAYLOADS_APART_FROM": 4096,
        "EVENTLOG_SEARCH_FIELDS": "user=/user; ip=/ip",
        "EVENTLOG_CHAINS_CLAIM": "mine",
        "EVENTLOG_SCOPE_PREFIX": "log/",
        "EVENTLOG_BASE_PATH": "/log",
    },
    "QueryFunction": {
        "EVENTLOG_CHAINS_CLAIM": "mine",
        "EVENTLOG_SCOPE_PREFIX": "log/",
        "EVENTLOG_BASE_PATH": "/log",
        "EVENTLOG_SIGN_IN_ISSUER": "https://id.example.com",
        "EVENTLOG_SIGN_IN_CLIENT": "dashboard",
        "EVENTLOG_SIGN_IN_SCOPE": "openid events:read",
        "EVENTLOG_SIGN_IN_HOSTS": "https://tokens.example.com",
    },
    "StreamFunction": _CALLERS,
    "ChainAuditFunction": _ANCHORS
    | {"EVENTLOG_FULL_AUDIT_HOURS": 26, "EVENTLOG_REHASH_DAYS": 0, "EVENTLOG_DATABASE_SET_UP": "true"}
    | {"EVENTLOG_SEARCH_FIELDS": "user=/user; ip=/ip"},
    "AuditRequestsFunction": _ANCHORS | _CALLERS,
    "IngestQueueFunction": {
        "EVENTLOG_DEAD_LETTERS_URL": "${DeadLetterQueue}",
        "EVENTLOG_PAYLOADS_APART_FROM": 4096,
        "EVENTLOG_SEARCH_FIELDS": "user=/user; ip=/ip",
    },
    "EraseFunction": _EVIDENCE
    | _CALLERS
    | {"EVENTLOG_PAYLOADS_APART_FROM": 4096, "EVENTLOG_ERASURE_APPROVALS": 2}
    | {"EVENTLOG_GOVERNANCE_SIGNING_KEY": "kms:${GovernanceKey}"},
    "WitnessFunction": {
        "EVENTLOG_WITNESS_NAME": "witness.example.com/w1",
        "EVENTLOG_WITNESS_KEYS": "kms:${WitnessKey}",
        "EVENTLOG_WITNESS_STATE": "s3://${WitnessBucket}",
        "EVENTLOG_BASE_PATH": "/log",
    },
}
CHOSEN: dict[str, str | int] = {
    **WITNESS,
    **ERASING,
    "ErasureApprovals": 2,
    "AsyncByDefault": "true",
    "NewChainsPerDay": 7,
    "PayloadsApartFrom": 4096,
    "SearchFields": "user=/user; ip=/ip",
    "ChainsClaim": "mine",
    "BasePath": "/log",
    "ScopePrefix": "log/",
    "JwtIssuer": "https://id.example.com",
    "JwtAudience": "dashboard",
    "DashboardClientId": "dashboard",
    "DashboardScope": "openid events:read",
    "DashboardHosts": "https://tokens.example.com",
    "AnchorRetentionDays": 7,
    "AnchorPacks": "true",
    "RetiredKeys": "old",
    "WitnessPolicy": "/log/witnesses",
    "WitnessChains": "main, shop*",
    "WitnessFreshSeconds": 60,
}


def test_sam_finds_nothing_to_complain_about() -> None:
    done = sam.run("validate", "--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_what_nobody_can_guess_has_to_be_given() -> None:
    parameters = sam.source()["Parameters"]
    assert {name for name, found in parameters.items() if "Default" not in found} == NEEDED.keys()


@pytest.mark.parametrize("name", [name for name in {**NEEDED, **ERASING} if name.endswith("SecretArn")])
def test_a_secret_is_one_of_secrets_manager_or_a_parameter_of_ssm(name: str) -> None:
    pattern = sam.source()["Parameters"][name]["AllowedPattern"]
    for good in NEEDED.values():
        assert bool(re.match(pattern, good)) == good.startswith("arn:")
    for bad in ("mongodb://user:pass@host/", "arn:aws:s3:::bucket", "arn:aws:ssm:eu-central-1:1:parameter/a"):
        assert not re.match(pattern, bad)


def test_every_function_runs_the_handler_of_its_app() -> None:
    functions = sam.of_type(LAMBDA)
    assert functions.keys() == sam.FUNCTIONS.keys()
    for function in functions.values():
        assert (function["Handler"], function["Runtime"]) == ("app.handler", "python3.13")
        assert function["Layers"][0]["Ref"].startswith("EventLogLayer")
        assert function["Description"]


@pytest.mark.parametrize("name", sam.FUNCTIONS)
def test_every_function_gets_the_settings_it_reads_and_no_others(name: str) -> None:
    variables = deployed(**CHOSEN).properties(name)["Environment"]["Variables"]
    database: sam.Json = {}
    if name in SECRETS:  # the witness has nothing to do with the log and its database
        secret = {"MONGO_URI_SECRET": (NEEDED | ERASING)[SECRETS[name]]}
        database = secret | {"MONGO_DATABASE": "eventlog", "EVENTLOG_ORIGIN": NEEDED["LogOrigin"]}
    common: sam.Json = database | {
        "MONGO_POOL_SIZE": "4",
        "EVENTLOG_TRACING": "false",
        "POWERTOOLS_SERVICE_NAME": f"eventlog-{sam.FUNCTIONS[name]}",
        "POWERTOOLS_METRICS_NAMESPACE": "EventLog/${AWS::StackName}",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
    assert variables == common | OWN_SETTINGS[name]


@pytest.mark.parametrize("name", sam.FUNCTIONS)
def test_every_function_logs_to_its_own_group(name: str) -> None:
    assert (
        deployed(**WITNESS).properties(name)["LoggingConfig"]["LogGroup"]
        == f"${{{name.replace('Function', 'LogGroup')}}}"
    )


def test_logs_are_kept_as_long_as_the_parameter_says() -> None:
    groups = deployed(LogRetentionDays=7, **WITNESS).of_type("AWS::Logs::LogGroup")
    assert len(groups) == len(sam.FUNCTIONS) + 1
    assert {group["RetentionInDays"] for group in groups.values()} == {7}


def test_functions_behind_the_api_end_before_the_api_gives_up() -> None:
    timeouts = {name: function["Timeout"] for name, function in sam.of_type(LAMBDA).items()}
    assert max(timeouts[name] for name in ("IngestFunction", "QueryFunction", "StreamFunction", "WitnessFunction")) < 30
    assert (timeouts["ChainAuditFunction"], timeouts["AuditRequestsFunction"]) == (900, 60)


def test_a_round_of_erasing_hardly_meets_the_next_and_ends_before_its_function_would() -> None:
    """The last order that a round begins with may have 1,000 events and the API's own 30 s."""
    assert SECONDS < 60
    assert sam.of_type(LAMBDA)["EraseFunction"]["Timeout"] > SECONDS + 30


def test_without_a_secret_for_it_the_function_that_erases_knows_no_key_and_no_database() -> None:
    """It answers 501 then (tests/integration/test_http_governance.py)."""
    variables = deployed(GovernanceKeys="old+1+x").properties("EraseFunction")["Environment"]["Variables"]
    assert (variables["MONGO_URI_SECRET"], variables["EVENTLOG_GOVERNANCE_SIGNING_KEY"]) == ("", "")
    assert "ReadTheSecret" not in str(deployed().statements("EraseFunctionRole"))
    assert not {"GovernanceKey", "GovernanceKeyAlias"} & deployed().resources.keys()


def test_a_live_stream_ends_before_its_function_would() -> None:
    """Running out of time is an error, which raises an alarm; waiting for events is none."""
    variables = deployed(**CHOSEN).properties("StreamFunction")["Environment"]["Variables"]
    assert "EVENTLOG_STREAM_SECONDS" not in variables
    assert Settings(_env_file=None).stream_seconds + 4 < sam.of_type(LAMBDA)["StreamFunction"]["Timeout"]


def test_the_dashboard_s_settings_are_ones_that_the_function_takes() -> None:
    parameters = sam.source()["Parameters"]
    scope = parameters["DashboardScope"]["Default"]
    assert scope == Settings(_env_file=None).sign_in_scope
    nothing = deployed().properties("QueryFunction")["Environment"]["Variables"]
    names = {name: nothing[name] for name in nothing if name.startswith("EVENTLOG_SIGN_IN_")}
    assert Settings(_env_file=None, **names).sign_in_issuer == ""
    hosts = "https://a.example.com, https://b.example.com:8443"
    assert re.match(parameters["DashboardHosts"]["AllowedPattern"], hosts)
    assert Settings(_env_file=None, EVENTLOG_SIGN_IN_HOSTS=hosts).sign_in_hosts == hosts


def test_every_function_has_memory_and_executions_of_its_own() -> None:
    chosen: dict[str, str | int] = {"IngestConcurrency": 1, "QueryConcurrency": 2, "StreamConcurrency": 5}
    chosen |= {**WITNESS, "WitnessConcurrency": 7}
    functions = deployed(**chosen, AuditConcurrency=6, QueueConcurrency=4, EraseConcurrency=8).of_type(LAMBDA)
    assert {
        name: (found["MemorySize"], found["ReservedConcurrentExecutions"]) for name, found in functions.items()
    } == {
        "IngestFunction": (1024, 1),
        "QueryFunction": (1024, 2),
        "StreamFunction": (1024, 5),
        "ChainAuditFunction": (1769, 3),
        "AuditRequestsFunction": (1769, 6),
        "IngestQueueFunction": (1024, 4),
        "EraseFunction": (1024, 8),
        "WitnessFunction": (1024, 7),
    }


def test_an_account_with_a_small_quota_reserves_no_executions() -> None:
    none = {f"{name}Concurrency": 0 for name in ("Ingest", "Query", "Stream", "Audit", "Erase", "Witness")}
    functions = deployed(**none, **WITNESS).of_type(LAMBDA)
    assert not [name for name, found in functions.items() if "ReservedConcurrentExecutions" in found]


def test_tracing_is_off_unless_asked_for() -> None:
    for function in deployed(**WITNESS).of_type(LAMBDA).values():
        assert "TracingConfig" not in function
        assert function["Environment"]["Variables"]["EVENTLOG_TRACING"] == "false"
    for function in deployed(Tracing="Active", **WITNESS).of_type(LAMBDA).values():
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Environment"]["Variables"]["EVENTLOG_TRACING"] == "true"


def test_functions_join_a_vpc_only_if_there_is_one() -> None:
    """The witness joins none: it does not know the database."""
    functions = deployed(SubnetIds="subnet-a,subnet-b", SecurityGroupIds="sg-a", **WITNESS).of_type(LAMBDA)
    assert "VpcConfig" not in functions.pop("WitnessFunction")
    joined = functions.values()
    assert all(found["VpcConfig"]["SubnetIds"] == ["subnet-a", "subnet-b"] for found in joined)
    assert all(found["VpcConfig"]["SecurityGroupIds"] == ["sg-a"] for found in joined)
    assert not any("VpcConfig" in found for found in deployed().of_type(LAMBDA).values())


@pytest.mark.parametrize("name", ["template.yaml", "samconfig.toml", *(f"events/{n}.json" for n in sam.samples())])
def test_no_file_holds_a_secret(name: str) -> None:
    text = (sam.ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"mongodb(\+srv)?://|(AKIA|ASIA)(?!\w*EXAMPLE)[A-Z0-9]{16}|PRIVATE KEY|password", text)


def test_every_route_has_a_sample_event() -> None:
    asked = {key for key in sam.routes() if not key.startswith("HEAD ")}  # which is answered as GET is
    assert {sam.sample(name)["routeKey"] for name in HTTP_SAMPLES} == asked


def opens(route: str) -> bool:
    """Whether a route is one of the dashboard's or the witness's, which nobody has to sign in for."""
    return not route.partition(" ")[2].startswith("/api/")


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
    assert context.get("authorizer", {}).keys() <= {"iam", "jwt"}
    assert ("authorizer" in context) == ("authorization" in event["headers"]) == (not opens(event["routeKey"]))
    assert all(key == key.lower() for key in event["headers"])
