"""The API has the routes of the functions and no others, and each is closed, limited and logged."""

import importlib
import json
import re
from typing import Any

import pytest
from samcli.lib.providers.api_provider import ApiProvider  # type: ignore[import-untyped]
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider  # type: ignore[import-untyped]

from tests.infrastructure import sam
from tests.infrastructure.stack import deployed

pytestmark = pytest.mark.xdist_group("sam")
ROUTE = "AWS::ApiGatewayV2::Route"
BEHIND_THE_API = [name for name in sam.FUNCTIONS if name != "IngestQueueFunction"]
TOKENS = {"JwtIssuer": "https://id.example.com", "JwtAudience": "one,two"}
WRITES = {
    "POST /api/v1/events": "events:write",
    "POST /api/v1/events/batch": "events:write",
    "POST /api/v1/audits": "audits:write",
}


def routes_in_code(function: str) -> set[str]:
    router = importlib.import_module(f"functions.{function}.app").router
    paths = [(route, route.path.replace(":path}", "+}")) for route in router.routes]
    return {f"{method} {path}" for route, path in paths for method in route.methods}


def stage(**parameters: str | int) -> sam.Json:
    return deployed(**parameters).properties("HttpApiStage")


@pytest.mark.parametrize("function", BEHIND_THE_API)
def test_the_template_has_the_routes_that_the_function_serves(function: str) -> None:
    in_template = {key for key, target in sam.routes().items() if target == function}
    assert in_template == routes_in_code(sam.FUNCTIONS[function])


def test_no_route_leads_to_the_consumer_of_the_queue() -> None:
    assert set(sam.routes().values()) == set(BEHIND_THE_API)


def test_no_route_catches_all() -> None:
    greedy = [key for key in sam.routes() if "$default" in key or "+}" in key or key.startswith("ANY ")]
    assert greedy == ["GET /api/v1/chains/{chain}/tlog/tile/{level}/{tile+}"], "a tile's name has slashes"


def test_every_route_wants_iam_unless_there_is_an_issuer() -> None:
    for name, route in deployed().of_type(ROUTE).items():
        assert route["AuthorizationType"] == "AWS_IAM", name
        assert not route.keys() & {"AuthorizerId", "AuthorizationScopes"}, name
    assert not deployed().of_type("AWS::ApiGatewayV2::Authorizer")


def test_every_route_wants_a_token_with_the_scope_for_it_if_there_is_an_issuer() -> None:
    for name, route in deployed(**TOKENS).of_type(ROUTE).items():
        assert (route["AuthorizationType"], route["AuthorizerId"]) == ("JWT", "${JwtAuthorizer}"), name
        assert route["AuthorizationScopes"] == [WRITES.get(route["RouteKey"], "events:read")], name


def test_tokens_are_those_of_the_issuer_for_the_audience() -> None:
    authorizer = deployed(**TOKENS).properties("JwtAuthorizer")
    assert authorizer["AuthorizerType"] == "JWT"
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    assert authorizer["JwtConfiguration"] == {"Issuer": TOKENS["JwtIssuer"], "Audience": ["one", "two"]}
    rule = sam.source()["Rules"]["AudienceComesWithIssuer"]
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "JwtIssuer"}, ""]}]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "JwtAudience"}, ""]}]}


def test_requests_are_limited_and_those_that_cost_most_more_tightly() -> None:
    limits = stage(ThrottleRate=300, ThrottleBurst=400)
    routes = limits["RouteSettings"]
    assert (
        limits["DefaultRouteSettings"]["ThrottlingRateLimit"],
        limits["DefaultRouteSettings"]["ThrottlingBurstLimit"],
    ) == (300, 400)
    of_the_audit = {key for key, target in sam.routes().items() if target == "ChainAuditFunction"}
    assert routes.keys() == {*of_the_audit, "GET /api/v1/export"}, "the schedules need the audit's executions too"
    assert routes.keys() <= sam.routes().keys()
    for route in routes.values():
        assert 0 < route["ThrottlingRateLimit"] <= 10
        assert 0 < route["ThrottlingBurstLimit"] <= 20
        assert route["DetailedMetricsEnabled"] is True, "a route's settings replace the default ones"


def test_a_route_is_there_before_it_gets_limits_of_its_own() -> None:
    keys = {name: route["RouteKey"] for name, route in sam.of_type(ROUTE).items()}
    before = sam.resources()["HttpApiStage"]["DependsOn"]
    assert {keys[name] for name in before} == stage()["RouteSettings"].keys()


def test_no_page_of_another_origin_may_call_unless_it_is_named() -> None:
    assert "CorsConfiguration" not in deployed().properties("HttpApi")
    cors = deployed(CorsOrigins="https://a.example.com,https://b.example.com").properties("HttpApi")[
        "CorsConfiguration"
    ]
    assert cors["AllowOrigins"] == ["https://a.example.com", "https://b.example.com"]
    assert set(cors["AllowMethods"]) == {key.split(" ")[0] for key in sam.routes()}
    assert "AllowCredentials" not in cors
    assert not [header for header in cors["AllowHeaders"] if "*" in header]


@pytest.mark.parametrize(
    "origin", ["*", "https://*", "https://*.example.com", "http://example.com", "null", "example.com"]
)
def test_an_origin_is_named_in_full(origin: str) -> None:
    pattern = sam.source()["Parameters"]["CorsOrigins"]["AllowedPattern"]
    assert not re.match(pattern, origin)
    assert re.match(pattern, "https://console.example.com:8443")


def test_every_request_is_logged_with_who_made_it_and_what_came_of_it() -> None:
    settings = stage()["AccessLogSettings"]
    assert settings["DestinationArn"] == "${AccessLogGroup.Arn}"
    logged = json.loads(settings["Format"])
    assert {"requestId", "time", "ip", "route", "status", "latency", "subject", "userArn"} <= logged.keys()
    assert all(re.fullmatch(r"\$context\.[A-Za-z.]+", value) for value in logged.values()), "no header, no body"


@pytest.mark.parametrize("function", BEHIND_THE_API)
def test_the_api_calls_the_alias_and_may(function: str) -> None:
    name = function.removesuffix("Function")
    integration: dict[str, Any] = deployed().properties(f"{name}Integration")
    permission = deployed().properties(f"{name}Permission")
    assert integration["IntegrationUri"] == f"${{{function}.Arn}}:live"
    assert integration["PayloadFormatVersion"] == "2.0"
    assert deployed().resources[f"{name}Integration"]["DependsOn"] == f"{name}Permission", "it needs the alias first"
    assert permission["FunctionName"] == f"${{{function}Aliaslive}}"
    assert (permission["Action"], permission["Principal"]) == ("lambda:InvokeFunction", "apigateway.amazonaws.com")
    assert permission["SourceArn"].endswith(":${HttpApi}/$default/*")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in what SAM uses
def test_sam_local_finds_every_route_and_its_function() -> None:
    stacks, _ = SamLocalStackProvider.get_stacks(str(sam.ROOT / "template.yaml"))
    api = ApiProvider(stacks, disable_authorizer=True).api
    found = {(f"{method} {route.path}", route.function_name) for route in api.routes for method in route.methods}
    assert {pair for pair in found if not pair[0].startswith("OPTIONS ")} == set(sam.routes().items())
