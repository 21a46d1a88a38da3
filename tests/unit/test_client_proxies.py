"""Requests to this machine take no proxy; others take the one that the environment names."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import httpx2
import pytest

from eventlog_client import EventLog, UnreachableError
from eventlog_client.addresses import open_http
from local.demo.api_client import ApiClient
from local.start_api.aws import LocalAws
from local.start_api.kms import KmsServer
from tests.support.each import each
from tests.support.processes import behind_a_proxy
from tests.support.small_log import TEXT, SmallLog, small_log
from tools.load.exchange import Exchange
from tools.load.target import target
from tools.screenshots import Subject


@pytest.fixture(scope="module")
def log() -> Iterator[SmallLog]:
    with small_log() as log:
        yield log


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    with patch.dict("os.environ", behind_a_proxy() | variables):
        yield


def test_everything_that_talks_to_this_machine_does_so_directly(log: SmallLog, tmp_path: object) -> None:
    told: list[object] = []
    with environment():
        for url in (log.url, log.url.replace("127.0.0.1", "localhost")):
            with EventLog(url, retries=0) as client:
                assert len(list(client.events())) == 3
        demo = ApiClient(log.url)
        assert demo.audit("main")["findings"][0]["detail"] == TEXT
        demo.close()
        exchange = Exchange(log.url, None, lambda *request: told.append(request[-1]))
        assert exchange.send("GET", "chain", "/chains/main", lambda *_: None).status == 200
        exchange.close()
        assert Subject(log.url, "", "", "").post("/audits", {})["chain"] == "main"
        with pytest.raises(Exception, match="No event log answers"), target(log.url, tmp_path):  # type: ignore[arg-type]
            pass
    assert told == [None]
    assert log.asked[-1] == "GET /api/v1/health"


def proxy_for(url: str, **variables: str) -> str | None:
    """The proxy that a request would take."""
    with environment(**variables), open_http(url, None, 1, None) as http:
        transport = http._transport_for_url(httpx2.URL(url))
    pool = getattr(transport, "_pool", None)
    proxy = getattr(pool, "_proxy_url", None)
    return None if proxy is None else bytes(proxy.host).decode()


@each(
    "url, no_proxy, proxied",
    [
        ("http://127.0.0.1:8000", "", False),
        ("http://127.8.9.10:1", "", False),
        ("http://LocalHost:8000", "", False),
        ("http://[::1]:8000", "", False),
        ("https://localhost:8443", "", False),
        ("http://log.example.com", "", True),
        ("https://log.example.com", "", True),
        ("http://10.0.0.1", "", True),
        ("http://localhost.example.com", "", True),
        ("http://log.example.com", "log.example.com", False),
        ("https://log.example.com", "example.org,.example.com", False),
        ("http://10.0.0.1", "10.0.0.0/8", False),
        ("http://10.0.0.1", "*", False),
        ("http://10.0.0.1", "11.0.0.0/8", True),
    ],
)
def test_a_proxy_is_for_other_machines(url: str, no_proxy: str, proxied: bool) -> None:
    found = proxy_for(url, NO_PROXY=no_proxy, no_proxy=no_proxy)
    assert found == ("127.0.0.1" if proxied else None)


@each("proxy", ["socks4://127.0.0.1:9", "nonsense://u:secret@x"])
def test_a_proxy_that_is_none_is_told_where_it_matters(proxy: str) -> None:
    with patch.dict("os.environ", behind_a_proxy(proxy)):
        EventLog("http://127.0.0.1:8000").close()
        with pytest.raises(UnreachableError, match="HTTP_PROXY, HTTPS_PROXY or ALL_PROXY") as caught:
            EventLog("https://log.example.com")
    assert "secret" not in str(caught.value)


def test_the_local_aws_is_asked_directly() -> None:
    with environment():
        client = LocalAws("http://127.0.0.1:1", KmsServer.__new__(KmsServer)).client("sqs")
    assert client._endpoint.http_session._proxy_config.proxy_url_for("http://127.0.0.1:1") is None
