"""The dashboard's routes: its files and nothing else, under a policy that names who may be asked."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.http.dashboard import configuration, dashboard, policy
from eventlog.settings import Settings
from functions.query.app import dashboard_router

ISSUER = "https://id.example.com/pool"
SIGN_IN = Settings(sign_in_issuer=ISSUER, sign_in_client="dashboard")


@pytest.fixture
def http() -> TestClient:
    return TestClient(create_app(dashboard_router, title="pages", settings=Settings(origin="log.example.com/test")))


def test_the_root_is_the_page_and_nobody_has_to_sign_in_for_it(http: TestClient) -> None:
    page = http.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == policy(Settings())
    assert (page.headers["x-content-type-options"], page.headers["x-frame-options"]) == ("nosniff", "DENY")


@pytest.mark.parametrize("path", ["main.js", "views/events.js", "style.css", "icon.svg"])
def test_a_file_is_not_sent_again_to_who_has_it(http: TestClient, path: str) -> None:
    first = http.get(f"/dashboard/{path}")
    again = http.get(f"/dashboard/{path}", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert http.get(f"/dashboard/{path}", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "vendor/SHA256SUMS", "vendor/README.md", "views", ""],
)
def test_nothing_else_is_served(http: TestClient, path: str) -> None:
    assert http.get(f"/dashboard/{path}").status_code == 404


def test_a_link_out_of_the_folder_can_not_be_made_by_name(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "secret.js").write_text("secret")
    http = TestClient(create_app(dashboard(tmp_path / "pages"), title="pages", settings=Settings()))
    assert http.get("/dashboard/%2e%2e/secret.js").status_code == 404


def test_the_page_may_ask_its_own_host_alone_unless_viewers_sign_in() -> None:
    assert "connect-src 'self';" in policy(Settings())
    hosts = SIGN_IN.model_copy(update={"sign_in_hosts": "https://tokens.example.com"})
    assert "connect-src 'self' https://tokens.example.com https://id.example.com;" in policy(hosts)
    assert "unsafe" not in policy(hosts)


def test_without_an_issuer_there_is_no_sign_in(http: TestClient) -> None:
    assert http.get("/dashboard/config.json").json() == {"origin": "log.example.com/test", "signIn": None}


def test_the_log_s_own_scopes_are_asked_for_as_the_issuer_writes_them() -> None:
    settings = SIGN_IN.model_copy(update={"scope_prefix": "eventlog/"})
    assert configuration(settings)["signIn"] == {
        "issuer": ISSUER,
        "client_id": "dashboard",
        "scope": "openid eventlog/events:read eventlog/audits:write",
    }
