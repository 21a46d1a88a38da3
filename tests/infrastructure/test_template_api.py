"""The API has the routes of the functions and no others, and each is closed, limited and logged."""

import importlib
import json
import re
from typing import Any

import pytest
from fastapi.security.base import SecurityBase
from samcli.lib.providers.api_provider import ApiProvider  # type: ignore[import-untyped]
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider  # type: ignore[import-untyped]

from tests.infrastructure import sam
from tests.infrastructure.stack import WITNESS, deployed
from tools.package_check.result import explains
from tools.package_check.template import read

TEMPLATE = read(sam.ROOT / "template.yaml")
ROUTE = "AWS::ApiGatewayV2::Route"
BEHIND_THE_API = [name for name in sam.FUNCTIONS if name not in {"IngestQueueFunction", "ChainAuditFunction"}]
TOKENS = {"JwtIssuer": "https://id.example.com", "JwtAudience": "one,two"}
DASHBOARD = TOKENS | {"DashboardClientId": "one"}


def both(*paths: str) -> set[str]:
    """The keys of routes that are asked with GET: HEAD is answered alike."""
    return {f"{method} {path}" for path in paths for method in ("GET", "HEAD")}


OPEN = both("/", "/dashboard/config.json", "/dashboard/{file+}")
"""All of the log that may be asked without a token: the files of the dashboard."""
COSIGNS = {"POST /witness/add-checkpoint", *both("/witness/", "/witness/{origin_hash}/checkpoint")}
"""What strangers may ask of a witness."""
ERASURES, HOLDS = "/api/v1/chains/{chain}/erasures", "/api/v1/chains/{chain}/holds"
COSTLY = {
    "POST /api/v1/audits",
    *both("/api/v1/audits", "/api/v1/audits/{audit_id}", "/api/v1/export"),
    *both("/api/v1/standing", "/api/v1/stats"),
    *both(ERASURES, f"{ERASURES}/{{erasure_id}}", HOLDS),
    *(f"POST {ERASURES}{path}" for path in ("", "/{erasure_id}/approve")),
    *(f"POST {HOLDS}{path}" for path in ("", "/{hold_id}/release")),
}
STREAM = both("/api/v1/events/stream")
WRITES = {
    "POST /api/v1/events": "events:write",
    "POST /api/v1/events/batch": "events:write",
    "POST /api/v1/audits": "audits:write",
    f"POST {ERASURES}": "events:erase",
    f"POST {ERASURES}/{{erasure_id}}/approve": "events:erase",
    f"POST {HOLDS}": "holds:write",
    f"POST {HOLDS}/{{hold_id}}/release": "holds:write",
}


def routes_in_code(function: str) -> set[str]:
    app = importlib.import_module(f"functions.{function}.app").app
    paths = [(route, route.path.replace(":path}", "+}")) for route in app.state.routes]
    found = {f"{method} {path}" for route, path in paths for method in route.methods}
    return found | {key.replace("GET", "HEAD", 1) for key in found if key.startswith("GET ")}


def stage(**parameters: str | int) -> sam.Json:
    return deployed(**parameters).properties("HttpApiStage")


@pytest.mark.parametrize("function", BEHIND_THE_API)
def test_the_template_has_the_routes_that_the_function_serves(function: str) -> None:
    in_template = {key for key, target in sam.routes().items() if target == function}
    assert in_template == routes_in_code(sam.FUNCTIONS[function])


def test_no_route_leads_to_the_consumer_of_the_queue_or_takes_executions_of_the_schedules() -> None:
    assert set(sam.routes().values()) == set(BEHIND_THE_API)


def test_no_route_catches_all() -> None:
    greedy = [key for key in sam.routes() if "$default" in key or "+}" in key or key.startswith("ANY ")]
    slashes = "these names have slashes"
    assert set(greedy) == both("/api/v1/chains/{chain}/tlog/tile/{level}/{tile+}", "/dashboard/{file+}"), slashes


def test_every_route_wants_iam_unless_there_is_an_issuer() -> None:
    for name, route in deployed().of_type(ROUTE).items():
        assert route["AuthorizationType"] == "AWS_IAM", name
        assert not route.keys() & {"AuthorizerId", "AuthorizationScopes"}, name
    assert not deployed().of_type("AWS::ApiGatewayV2::Authorizer")


def test_every_route_wants_a_token_with_the_scope_for_it_if_there_is_an_issuer() -> None:
    for name, route in deployed(**TOKENS).of_type(ROUTE).items():
        assert (route["AuthorizationType"], route["AuthorizerId"]) == ("JWT", "${JwtAuthorizer}"), name
        assert route["AuthorizationScopes"] == [WRITES.get(route["RouteKey"], "events:read")], name


def test_only_the_dashboard_s_files_are_open_and_only_if_viewers_can_sign_in() -> None:
    closed = deployed(**TOKENS).of_type(ROUTE)
    routes = deployed(**DASHBOARD).of_type(ROUTE)
    opened = {name: route for name, route in routes.items() if name not in closed}
    assert {route["RouteKey"] for route in opened.values()} == OPEN
    for route in opened.values():
        assert route["AuthorizationType"] == "NONE"
        assert route["Target"] == "integrations/${QueryIntegration}"
    assert {name: route for name, route in routes.items() if name in closed} == closed, "all others stay as they are"
    assert not {route["RouteKey"] for route in deployed(DashboardClientId="one").of_type(ROUTE).values()} & OPEN


def test_a_witness_is_open_to_strangers_and_only_there_if_it_has_a_name() -> None:
    closed = deployed(**DASHBOARD).of_type(ROUTE)
    routes = deployed(**DASHBOARD, **WITNESS).of_type(ROUTE)
    opened = {name: route for name, route in routes.items() if name not in closed}
    assert {route["RouteKey"] for route in opened.values()} == COSIGNS
    for route in opened.values():
        assert (route["AuthorizationType"], route["Target"]) == ("NONE", "integrations/${WitnessIntegration}")
    assert {name: route for name, route in routes.items() if name in closed} == closed, "all others stay as they are"


def test_an_open_route_says_why() -> None:
    named = [(name, text["open"]) for name, text in TEMPLATE.metadata("eventlog") if "open" in text]
    keys = {sam.of_type(ROUTE)[name]["RouteKey"] for name, _ in named}
    assert keys == OPEN | COSIGNS
    assert all(explains(why) for _, why in named)
    assert len({why for _, why in named}) == len(named), "each has a reason of its own"


@pytest.mark.parametrize("function", BEHIND_THE_API)
def test_code_asks_no_caller_on_open_routes_alone(function: str) -> None:
    """The functions check callers too, so a mistake in the template opens nothing but what asks nobody."""
    app = importlib.import_module(f"functions.{sam.FUNCTIONS[function]}.app").app
    unasked = {route.path.replace(":path}", "+}") for route in app.state.routes if not asks(route.dependant)}
    opened = {"QueryFunction": OPEN, "WitnessFunction": COSIGNS}.get(function, set())
    assert unasked == {key.partition(" ")[2] for key in opened}


def asks(dependant: Any) -> bool:
    """Whether a route depends on who calls, itself or through what it depends on."""
    return isinstance(dependant.call, SecurityBase) or any(asks(found) for found in dependant.dependencies)


def test_a_dashboard_that_nobody_can_sign_in_to_is_refused() -> None:
    rule = sam.source()["Rules"]["DashboardSignsInWithIssuer"]
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "DashboardClientId"}, ""]}]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "JwtIssuer"}, ""]}]}


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
    routes: sam.Json = limits["RouteSettings"]
    assert (
        limits["DefaultRouteSettings"]["ThrottlingRateLimit"],
        limits["DefaultRouteSettings"]["ThrottlingBurstLimit"],
    ) == (300, 400)
    small = {key for key, target in sam.routes().items() if target in {"AuditRequestsFunction", "EraseFunction"}}
    assert small <= COSTLY, "they have few executions"
    assert routes.keys() == COSTLY | STREAM
    assert routes.keys() <= sam.routes().keys()
    for key, route in routes.items():
        assert 0 < route["ThrottlingRateLimit"] <= (50 if key in STREAM else 10)
        assert 0 < route["ThrottlingBurstLimit"] <= (100 if key in STREAM else 20)
        assert route["DetailedMetricsEnabled"] is True, "a route's settings replace the default ones"


def test_what_anybody_may_ask_is_limited_below_what_readers_have() -> None:
    routes = stage(**DASHBOARD, **WITNESS)["RouteSettings"]
    assert routes.keys() == COSTLY | OPEN | STREAM | COSIGNS
    for key in OPEN | COSIGNS:
        assert 0 < routes[key]["ThrottlingRateLimit"] <= 50
        assert routes[key]["ThrottlingRateLimit"] < routes[key]["ThrottlingBurstLimit"] <= 100
        assert routes[key]["DetailedMetricsEnabled"] is True
    page = (sam.ROOT / "functions/query/dashboard/index.html").read_text(encoding="utf-8")
    files = set(re.findall(r'(?:href|src)="dashboard/([^"]+)"', page))
    assert routes["GET /dashboard/{file+}"]["ThrottlingBurstLimit"] >= 20 * len(files), "twenty viewers at once"


def test_a_route_is_there_before_it_gets_limits_of_its_own() -> None:
    keys = {name: route["RouteKey"] for name, route in sam.of_type(ROUTE).items()}
    before = sam.resources()["HttpApiStage"]["DependsOn"]
    everything = stage(**DASHBOARD, **WITNESS)
    named = re.findall(r"\$\{(\w+)\}", everything["Description"])
    assert {keys[name] for name in (*before, *named)} == everything["RouteSettings"].keys()
    assert len(everything["Description"]) <= 1024, "the API's limit; names become ids of seven characters"


def test_head_is_closed_and_limited_as_get_is() -> None:
    routes = {route["RouteKey"]: route for route in deployed(**DASHBOARD, **WITNESS).of_type(ROUTE).values()}
    limits = stage(**DASHBOARD, **WITNESS)["RouteSettings"]
    gets = {key.removeprefix("GET ") for key in routes if key.startswith("GET ")}
    assert gets == {key.removeprefix("HEAD ") for key in routes if key.startswith("HEAD ")}
    for path in gets:
        assert routes[f"HEAD {path}"] == routes[f"GET {path}"] | {"RouteKey": f"HEAD {path}"}
        of_get, of_head = limits.get(f"GET {path}"), limits.get(f"HEAD {path}")
        assert (of_head is None) == (of_get is None)
        assert of_head is None or of_head["ThrottlingRateLimit"] <= of_get["ThrottlingRateLimit"]


def test_no_page_of_another_origin_may_call_unless_it_is_named() -> None:
    assert "CorsConfiguration" not in deployed().properties("HttpApi")
    cors = deployed(CorsOrigins="https://a.example.com,https://b.example.com").properties("HttpApi")[
        "CorsConfiguration"
    ]
    assert cors["AllowOrigins"] == ["https://a.example.com", "https://b.example.com"]
    assert set(cors["AllowMethods"]) == {key.split(" ")[0] for key in sam.routes()}
    assert "AllowCredentials" not in cors
    # Which headers answers have, and that a page may read them: tests/integration/test_http_edge.py.
    assert [header for header in cors["AllowHeaders"] if "*" in header] == ["*"], "ce-* would be a name, not a pattern"
    assert headers_read() <= set(cors["AllowHeaders"]) | UNASKED
    assert cors["ExposeHeaders"] == sorted(set(cors["ExposeHeaders"]))


UNASKED = {"accept", "if-none-match", "content-encoding"}
"""What a page may send unasked, what only the dashboard's own page sends, and what is only refused."""


def headers_read() -> set[str]:
    """The request headers that the routes name; those of CloudEvents begin with ``ce-`` and have any name."""
    source = "".join(path.read_text() for path in (sam.ROOT / "layers/eventlog/src/eventlog/http").glob("*.py"))
    found = re.findall(r"headers(?:\.get(?:list)?\(|, )\"([A-Za-z-]+)\"|alias=\"([A-Z][A-Za-z-]+)\"", source)
    found += re.findall(r"^HEADER = \"(.+)()\"$", source, re.MULTILINE)
    named = {(one or other).lower() for one, other in found}
    assert {"last-event-id", "authorization", "content-type", "accept", "x-correlation-id"} <= named
    return {name for name in named if not name.startswith("ce-")}


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
    stack = deployed(**WITNESS)
    integration: dict[str, Any] = stack.properties(f"{name}Integration")
    permission = stack.properties(f"{name}Permission")
    assert integration["IntegrationUri"] == f"${{{function}.Arn}}:live"
    assert integration["PayloadFormatVersion"] == "2.0"
    assert stack.resources[f"{name}Integration"]["DependsOn"] == f"{name}Permission", "it needs the alias first"
    assert permission["FunctionName"] == f"${{{function}Aliaslive}}"
    assert (permission["Action"], permission["Principal"]) == ("lambda:InvokeFunction", "apigateway.amazonaws.com")
    assert permission["SourceArn"].endswith(":${HttpApi}/$default/*")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in what SAM uses
def test_sam_local_finds_every_route_and_its_function() -> None:
    stacks, _ = SamLocalStackProvider.get_stacks(str(sam.ROOT / "template.yaml"))
    api = ApiProvider(stacks, disable_authorizer=True).api
    found = {(f"{method} {route.path}", route.function_name) for route in api.routes for method in route.methods}
    assert {pair for pair in found if not pair[0].startswith("OPTIONS ")} == set(sam.routes().items())
