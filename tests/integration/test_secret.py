"""The connection string: where it is read from, and that it is never shown."""

import traceback
from contextlib import closing

import pytest
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.http.resources import ConfigurationError, Resources
from eventlog.settings import Settings
from eventlog.store.errors import StoreUnavailableError
from functions.query.app import router as query_router
from tests.rotated import in_secrets_manager

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
        _ = Resources(settings).store
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
        query_router, title="query", anonymous=True, settings=Settings(mongo_uri=None, mongo_uri_secret=arn)
    )
    answer = TestClient(app).get("/api/v1/health")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "MONGO_URI_SECRET" in answer.json()["detail"]


def test_a_uri_from_the_environment_is_not_read_again() -> None:
    with closing(Resources(Settings(mongo_uri="mongodb://127.0.0.1:1/"))) as held:
        before = held.client
        held.refused()
        assert held.client is before
        with pytest.raises(StoreUnavailableError):
            held.leases.take("schedule/full", "x")
