"""The connection string: where it is read from, and that it is never shown."""

import traceback
from collections.abc import Callable
from contextlib import closing

import pytest
from dns.exception import Timeout
from dns.resolver import NXDOMAIN
from pymongo.synchronous import srv_resolver
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.settings import ConfigurationError, Settings
from eventlog.store.errors import StoreUnavailableError
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from functions.query.app import routers as query_routers
from tests.support.rotated import Secret, in_parameter_store, in_secrets_manager

pytestmark = pytest.mark.usefixtures("aws")


@pytest.mark.parametrize(
    "text",
    [
        "mongodb://u:s3cr3t@pass@db.example.com/eventlog",
        "https://s3cr3t",
        "mongodb://u:s3cr3t@h:99999/",
        "mongodb://u:x@h/s3cr3t$b",
        "mongodb://h:s3cr3t/",
        "s3cr3t",
    ],
)
@pytest.mark.parametrize("setting", ["MONGO_URI", "MONGO_URI_SECRET"])
def test_a_uri_that_can_not_be_used_is_named_by_its_setting_alone(setting: str, text: str) -> None:
    if setting == "MONGO_URI":
        settings = Settings(mongo_uri=text)
    else:
        settings = Settings(mongo_uri=None, mongo_uri_secret=in_secrets_manager(text).arn)
    with pytest.raises(ConfigurationError, match=f"^{setting} is no connection string") as raised:
        _ = Connection(settings).log
    assert "s3cr3t" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none-AbCdEf",
        "arn:aws:ssm:eu-central-1:123456789012:parameter/none",
    ],
)
def test_a_secret_that_can_not_be_read_is_503(arn: str) -> None:
    app = create_app(
        *query_routers, title="query", anonymous=True, settings=Settings(mongo_uri=None, mongo_uri_secret=arn)
    )
    answer = TestClient(app).get("/api/v1/health")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "MONGO_URI_SECRET" in answer.json()["detail"]


def test_a_uri_from_the_environment_is_not_read_again() -> None:
    with closing(Connection(Settings(mongo_uri="mongodb://127.0.0.1:1/"))) as connection:
        before = connection.current
        connection.refused()
        assert connection.current is before
        with pytest.raises(StoreUnavailableError):
            AuditWiring(connection).leases.take("schedule/full", "x")


@pytest.mark.parametrize("keep", [in_secrets_manager, in_parameter_store])
def test_a_line_break_after_the_uri_is_no_part_of_it(keep: Callable[[str], Secret], mongo_uri: str) -> None:
    settings = Settings(mongo_uri=None, mongo_uri_secret=keep(f"{mongo_uri}\n").arn)
    with closing(Connection(settings)) as connection:
        assert connection.current.uri == mongo_uri


@pytest.mark.parametrize("trouble", [Timeout, NXDOMAIN])
def test_names_that_dns_does_not_tell_are_503(trouble: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """A function may start while there is no answer; the next request asks again."""

    def resolve(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr(srv_resolver, "_resolve", resolve)
    secret = in_secrets_manager("mongodb://127.0.0.1:1/")
    settings = Settings(mongo_uri=None, mongo_uri_secret=secret.arn)
    with closing(Connection(settings)) as connection:
        before = connection.current
        secret.put("mongodb+srv://u:s3cr3t@cluster0.s3cr3t.example.com/")
        connection.refused()
        assert connection.current is before
    app = create_app(*query_routers, title="query", settings=settings, anonymous=True)
    answer = TestClient(app).get("/api/v1/health")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "s3cr3t" not in answer.text
