"""Every route asks who calls, with which scope and on whose chain; behind API Gateway and on a server with tokens."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from eventlog.settings import Settings
from eventlog.store.mongo.store import connect, open_log
from eventlog.stored.anchor_copies import AnchorCopy
from tests.support.access import (
    EVENT,
    ROUTES,
    SAMPLES,
    SCOPES,
    Answer,
    Grant,
    Sample,
    ThroughGateway,
    Way,
    WithTokens,
    governing,
    order_some,
)
from tests.support.anchoring import put_anchor, put_heads

OWN, THEIRS, MISSING = "own.a", "theirs.a", "missing.a"
UNLIMITED = Grant(name="unlimited")
LIMITED = Grant(chains=("own.*", "mine"), name="limited")
LESS = {scope: Grant(SCOPES - {scope}, name="less") for scope in SCOPES}
ONLY = {scope: Grant(frozenset({scope}), name="only") for scope in SCOPES}
MakeWay = Callable[[Settings], Way]


@pytest.fixture(scope="module")
def settings(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A log with a chain of the limited caller's and one of somebody else's."""
    name = f"test_{uuid4().hex[:12]}"
    plain = Settings(mongo_uri=mongo_uri, mongo_database=name)
    yield governing(plain, tmp_path_factory.mktemp("governing"))
    with connect(mongo_uri) as client:
        client.drop_database(name)


@pytest.fixture(scope="module", params=["gateway", "tokens"])
def way(request: pytest.FixtureRequest, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    made: ThroughGateway | WithTokens
    if request.param == "gateway":
        made = ThroughGateway(settings)
    else:
        grants = [UNLIMITED, LIMITED, *LESS.values(), *ONLY.values()]
        made = WithTokens(settings, tmp_path_factory.mktemp("tokens") / "tokens.json", grants)
    yield made
    made.app.state.connection.close()


@pytest.fixture(scope="module")
def audits(settings: Settings, mongo_uri: str) -> dict[str, str]:
    """Fills the log; the id of an audit of each chain, and one of none."""
    made, found = ThroughGateway(settings), {MISSING: "00000000-0000-7000-8000-000000000000"}
    anchors: list[AnchorCopy] = []
    with connect(mongo_uri) as client:
        store = open_log(client, settings.mongo_database, settings.origin)
        for chain in (OWN, THEIRS):
            batch = SAMPLES["POST /api/v1/events/batch"].about(chain)
            made.call("POST", Sample(batch.path, json=[batch.json[0] | {"event_id": "e"}, batch.json[1]]), UNLIMITED)
            report = made.call("POST", SAMPLES["POST /api/v1/audits"].about(chain), UNLIMITED).json()
            found[chain] = report["audit_id"]
            order_some(made, chain, UNLIMITED)
            anchors.append(put_anchor(store, chain=chain, size=2))
        put_heads(store, *anchors)
    made.app.state.connection.close()
    return found


Ask = Callable[[str, str, Grant | None], Answer]


@pytest.fixture
def ask(way: Way, audits: dict[str, str]) -> Ask:
    """Asks a route about a chain."""

    def asked(route: str, chain: str, grant: Grant | None) -> Answer:
        return way.call(route.partition(" ")[0], SAMPLES[route].about(chain, audits[chain]), grant)

    return asked


def stored(settings: Settings) -> dict[str, Any]:
    """All that there is, of all collections but for what audits wrote."""
    with connect(str(settings.mongo_uri)) as client:
        database = client[settings.mongo_database]
        return {name: list(database[name].find(sort=[("_id", 1)])) for name in ("sequences", "events", "audits")}


def test_there_is_a_sample_of_every_route() -> None:
    assert sorted(SAMPLES) == ROUTES


@pytest.mark.parametrize("route", ROUTES)
def test_without_a_caller_nobody_is_let_in(route: str, ask: Ask, settings: Settings) -> None:
    before = stored(settings)
    answer = ask(route, OWN, None)
    assert answer.problem[0] == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert stored(settings) == before


@pytest.mark.parametrize("route", ROUTES)
def test_without_its_scope_a_caller_is_refused_though_with_every_other(
    route: str, ask: Ask, settings: Settings
) -> None:
    scope, before = SAMPLES[route].scope, stored(settings)
    answer = ask(route, OWN, LESS[scope])
    assert answer.problem == (403, f"This needs the scope {scope}.")
    assert answer.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
    assert stored(settings) == before


@pytest.mark.parametrize("route", ROUTES)
def test_its_scope_is_all_that_a_route_needs(route: str, ask: Ask) -> None:
    assert ask(route, OWN, ONLY[SAMPLES[route].scope]).status in {200, 201, 202}


@pytest.mark.parametrize("route", ROUTES)
def test_own_chains_are_there_for_a_limited_caller(route: str, ask: Ask) -> None:
    assert ask(route, OWN, LIMITED).status in {200, 201, 202}


@pytest.mark.parametrize("route", ROUTES)
def test_the_chain_of_others_is_answered_like_one_that_does_not_exist(
    route: str, ask: Ask, settings: Settings, audits: dict[str, str]
) -> None:
    before = stored(settings)
    theirs, missing = ask(route, THEIRS, LIMITED), ask(route, MISSING, LIMITED)
    told = SAMPLES[route].about(THEIRS, audits[THEIRS]).missing
    assert theirs.status == missing.status == (200 if told is None else 404)
    assert told is None or theirs.problem[1] == told
    assert like_missing(theirs, audits) == like_missing(missing, audits)
    assert stored(settings) == before


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route not in {"GET /api/v1/chains", "GET /api/v1/standing"}]
)
def test_and_so_would_one_that_does_not_exist_be_for_a_caller_without_a_limit(
    route: str, ask: Ask, audits: dict[str, str]
) -> None:
    if not route.startswith("POST /api/v1/events"):  # which would make it
        shown = [like_missing(ask(route, chain, grant), audits) for chain, grant in PAIRS]
        assert shown[0] == shown[1]


PAIRS = ((THEIRS, LIMITED), (MISSING, UNLIMITED))


def like_missing(answer: Answer, audits: dict[str, str]) -> tuple[int, set[str], bytes]:
    """An answer with the names of what was asked for made the same."""
    body = answer.body.replace(THEIRS.encode(), MISSING.encode())
    return answer.status, {*answer.headers}, body.replace(audits[THEIRS].encode(), audits[MISSING].encode())


def test_a_caller_who_is_not_known_is_told_nothing_of_a_bad_request(way: Way) -> None:
    bad = Sample("/api/v1/events", params={"nonsense": 1, "chain": "?"}, json="nonsense")
    assert [way.call(method, bad, None).status for method in ("GET", "POST")] == [401, 401]


def test_a_token_that_is_none_is_called_invalid(way: Way) -> None:
    answer = way.call("GET", SAMPLES["GET /api/v1/health"], None, authorization="Bearer nonsense")
    assert answer.problem[0] == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.usefixtures("audits")
def test_an_event_has_its_caller_as_principal(way: Way) -> None:
    receipt = way.call("POST", Sample("/api/v1/events", json=EVENT | {"chain": "mine"}), LIMITED).json()
    found = Sample(f"/api/v1/events/{receipt['event_id']}", params={"chain": "mine"})
    assert way.call("GET", found, UNLIMITED).json()["principal"] == "limited"


@pytest.mark.parametrize("grant", [None, LIMITED, UNLIMITED], ids=["nobody", "limited", "unlimited"])
def test_tokens_are_in_no_log_line_and_no_answer(
    settings: Settings,
    audits: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    grant: Grant | None,
) -> None:
    way = WithTokens(settings, tmp_path / "tokens.json", [LIMITED, UNLIMITED])
    secret = (grant or UNLIMITED).token()
    header = {} if grant else {"authorization": f"Basic {secret}"}
    answers = [
        way.call(route.partition(" ")[0], SAMPLES[route].about(THEIRS, audits[THEIRS]), grant, **header)
        for route in ROUTES
    ]
    way.app.state.connection.close()
    assert not [answer for answer in answers if secret in f"{answer.body!r} {answer.headers}"]
    out, err = capsys.readouterr()
    assert out.count('"message":"request"') == len(ROUTES)
    assert secret not in out + err


def test_a_function_without_api_gateway_and_tokens_lets_nobody_in(settings: Settings, tmp_path: Path) -> None:
    made = WithTokens(settings, tmp_path / "tokens.json", [])
    made.app.state.connection.settings.tokens = None
    assert made.call("GET", SAMPLES["GET /api/v1/health"], UNLIMITED).status == 401
    assert made.app.state.callers.tokens is None


def test_behind_api_gateway_a_token_makes_nobody_known(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    WithTokens(settings, path, [UNLIMITED])
    behind = ThroughGateway(settings.model_copy(update={"tokens": str(path)}))
    header = {"authorization": f"Bearer {UNLIMITED.token()}"}
    assert behind.call("GET", SAMPLES["GET /api/v1/health"], None, **header).status == 401
    assert behind.call("GET", SAMPLES["GET /api/v1/health"], UNLIMITED).status == 200
    behind.app.state.connection.close()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The API's description, as the functions have it."""
    return ThroughGateway(Settings()).app.openapi()


@pytest.mark.parametrize("route", ROUTES)
def test_the_document_names_scope_and_refusals(route: str, document: dict[str, Any]) -> None:
    method, path = route.split()
    operation = document["paths"][path.replace(":path", "")][method.lower()]
    (scheme,) = document["components"]["securitySchemes"]
    assert operation["security"] == [{scheme: [SAMPLES[route].scope]}]
    assert {"401", "403"} < operation["responses"].keys()
    assert "404" in operation["responses"] or SAMPLES[route].missing is None
