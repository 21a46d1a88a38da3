"""Every answer that a browser would show as a page lets in nothing of another host, whichever app it comes from."""

import re

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from eventlog.settings import Settings
from functions.chain_audit.app import app as chain_audit
from functions.ingest.app import app as ingest
from functions.query.app import app as query
from local.server import build_app

HTML = "text/html; charset=utf-8"
OWN = {"'none'", "'self'", "data:", "'script'"}
"""All that a policy may name where nobody signs in: no host, no ``unsafe-inline``, no ``unsafe-eval``."""
CLOSED = ["default-src", "base-uri", "form-action", "frame-ancestors"]
SAFE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
FRAMEWORK = ["/docs", "/redoc", "/docs/oauth2-redirect"]
ASKED = [*FRAMEWORK, "/openapi.json", "/nowhere", "/dashboard/index.html", "/dashboard/"]
ISSUER = "https://id.example.com"


@pytest.fixture
def local(app: FastAPI) -> TestClient:
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)


def paths(app: FastAPI) -> set[str]:
    """The paths of an app, each with something in its place that answers at once: a stream would not end."""
    found = {str(getattr(route, "path", "/")) for route in [*app.state.routes, *app.routes]}
    return {re.sub(r"\{[^}]*\}", "x", path) for path in found} | set(ASKED)


def pages(client: TestClient, app: FastAPI) -> dict[str, list[str]]:
    """The policies of the answers that are HTML, by path; each is looked at on the way."""
    found: dict[str, list[str]] = {}
    for path in sorted(paths(app)):
        for method in ("GET", "HEAD", "POST"):
            for query_text in ("", "?from_seq=x"):
                if path.endswith("/stream") and not query_text:
                    continue
                answer = client.request(method, path + query_text, headers={"accept": "text/html"})
                if "html" in answer.headers.get("content-type", ""):
                    assert answer.headers["content-type"] == HTML
                    assert {name: answer.headers.get(name) for name in SAFE} == SAFE
                    found.setdefault(path, []).append(answer.headers["content-security-policy"])
                    assert foreign(answer.text) == []
    return found


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in policy.split("; "))}


def foreign(html: str) -> list[str]:
    """What a page loads from anywhere but its own server, and scripts or handlers within it."""
    loaded = re.findall(r"(?:src|href|action|data)\s*=\s*[\"']?([^\"' >]+)", html)
    return [one for one in loaded if re.match(r"[\w+.-]*:|[/\\]{2}", one)] + re.findall(
        r"<script(?![^>]* src=)|<style|\son\w+\s*=|javascript:", html
    )


def test_the_pages_of_the_development_server(local: TestClient, app: FastAPI) -> None:
    found = pages(local, app)
    assert set(found) == {"/", "/docs"}
    for policy in (policy for policies in found.values() for policy in policies):
        named = directives(policy)
        assert {value for values in named.values() for value in values} <= OWN
        assert [named[name] for name in CLOSED] == [["'none'"]] * 4
    assert "script-src" not in directives(found["/docs"][0])


@pytest.mark.parametrize("function", [ingest, query, chain_audit], ids=["ingest", "query", "chain_audit"])
def test_a_function_has_no_pages_but_the_dashboard(function: FastAPI) -> None:
    """They are asked past the gateway, whose template has no other routes either."""
    client = TestClient(function, raise_server_exceptions=False)
    for path in FRAMEWORK:
        answer = client.get(path, headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_where_viewers_sign_in_the_issuer_may_be_asked_and_nothing_more(mongo_uri: str, database: str) -> None:
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database, sign_in_issuer=f"{ISSUER}/pool")
    app = build_app(settings)
    policy = TestClient(app, base_url="http://localhost").get("/").headers["content-security-policy"]
    hosts = {name: set(values) - OWN for name, values in directives(policy).items()}
    assert {name: values for name, values in hosts.items() if values} == {
        "connect-src": {ISSUER},
    }
    app.state.connection.close()


def test_the_description_is_open_and_is_the_whole_api(local: TestClient) -> None:
    """It says what the documentation says, the same to everybody: nothing of the log is in it."""
    html = local.get("/docs").text
    document = local.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<h2><code>{method.upper()} {path}</code></h2>" in html
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in html
        assert f'href="#{name}"' in html or name in {"FieldError", "Skew", "Series", "FindingOut"}


@pytest.mark.parametrize(
    "text", ['<script src="https://cdn.example/x.js">', "<img onerror=x>", '<a href="//x.example">']
)
def test_what_a_page_may_not_have_would_be_found(text: str) -> None:
    assert foreign(text)
