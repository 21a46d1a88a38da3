"""The whole API in one process, on a fresh database."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from moto import mock_aws
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore
from functions.chain_audit.app import routers as audit_routers
from functions.erase.app import routers as erase_routers
from functions.ingest.app import routers as ingest_routers
from functions.query.app import routers as query_routers
from functions.stream.app import routers as stream_routers
from local.mongod.secured import SecuredMongo
from local.server import build_app
from tests.support.anchored import AnchoredLog
from tests.support.auditors import Recorder
from tests.support.secured import SecuredLog, secured_mongo
from tests.support.serving import served
from tests.support.standing import Tampered, tampered_log
from tests.support.used import used

__all__ = ["used"]
"""Fixtures that are made elsewhere."""
MakeApi = Callable[[str], AbstractContextManager[TestClient]]


@pytest.fixture(scope="session")
def make_api(mongo_uri: str) -> MakeApi:
    """Makes a client of the three routers over a database."""

    @contextmanager
    def make(database: str) -> Iterator[TestClient]:
        settings = Settings(mongo_uri=mongo_uri, mongo_database=database)
        app = create_app(
            *ingest_routers,
            *stream_routers,
            *query_routers,
            *audit_routers,
            *erase_routers,
            title="local",
            settings=settings,
            anonymous=True,
        )
        with TestClient(app) as client:
            yield client
        app.state.connection.close()

    return make


@pytest.fixture
def api(make_api: MakeApi, database: str) -> Iterator[TestClient]:
    with make_api(database) as client:
        yield client


@pytest.fixture
def app(mongo_uri: str, database: str) -> Iterator[FastAPI]:
    """The app of the development server; with ``url``, for tests that need a real connection, such as a stream's."""
    app = build_app(Settings(mongo_uri=mongo_uri, mongo_database=database))
    yield app
    app.state.connection.close()


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    """Where it is served."""
    with served(app) as url:
        yield url


@pytest.fixture
def log(store: MongoStore, tmp_path: Path, request: pytest.FixtureRequest) -> AnchoredLog:
    """A log on a fresh database that is anchored in a directory; as a parameter: in packs."""
    return AnchoredLog(store, tmp_path, packing=getattr(request, "param", False))


@pytest.fixture
def grown(log: AnchoredLog) -> AnchoredLog:
    """One anchor of 5 events, and 4 events more; whatever is signed is recorded."""
    log.signers = [Recorder(log.signers[0])]
    log.append(5)
    log.audit()
    log.append(4)
    log.signers = [Recorder(log.signers[0])]
    return log


@pytest.fixture
def tampered(store: MongoStore, mongo_uri: str, database: str, tmp_path: Path) -> Iterator[Tampered]:
    """A log of three chains, fully audited, in which an event was edited then."""
    with tampered_log(store, mongo_uri, database, tmp_path) as tampered:
        yield tampered


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMongo]:
    """A mongod with access control."""
    with secured_mongo(tmp_path_factory.mktemp("secured")) as mongo:
        yield mongo


@pytest.fixture(scope="module")
def secured_log(secured: SecuredMongo) -> SecuredLog:
    """A database on it that was set up."""
    log = SecuredLog(secured)
    log.set_up()
    return log


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS as moto plays it, and no URI of MongoDB from the environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("MONGO_URI", raising=False)
    with mock_aws():
        yield
