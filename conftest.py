"""What all tests share: a real mongod a process (or MONGO_URI), one build of the artefacts a session, and their order.

Each tier's own set-up is in the conftest.py of its folder; helpers are in tests/support.
"""

import logging
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pydantic.v1  # noqa: F401  before eventlog.start hides it from what starts: SAM needs it in this process
import pytest
from pymongo import MongoClient

from eventlog.store.mongo.store import MongoStore, connect, open_log
from local.mongod.embedded import EmbeddedMongo
from tests.support.databases import Databases
from tests.support.once import made_once
from tests.support.sharded.cluster import ShardedCluster
from tests.support.sharded.placing import spread
from tests.support.sharded.shared import SharedCluster, shared_cluster
from tools.package_check.build import build
from tools.stranger import READY

SLOW_FIRST = ("tests/e2e", "tools", "tests/infrastructure", "tests/browser", "tests/integration", "tests/contract")
"""Folders whose files are handed out first, so that no process is left with a long file while the others are done."""
ON_A_DEPLOYMENT = {"mongo_uri", "deployment"}
"""Fixtures that start a replica set, and with ``--sharded`` a sharded cluster in its place."""
STRANGER = "test_stranger_witness.py"
JOURNAL_MILLIS = 25
"""Dropping a database waits for the journal: MongoDB's own 100 ms would be a third of most tests' time. But a mongod
that looks after its journal every 5 ms takes 2 % of a processor while nobody asks it for anything, and 0.8 % at 25 ms;
each process of the tests has two of them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sharded", action="store_true", help="use a sharded cluster where a replica set would be used")


def pytest_configure(config: pytest.Config) -> None:
    """Take Ctrl-C as a terminal's job does: a shell's background job ignores it, and so would all that tests start.

    And let no proxy of the environment come between tests and their own servers; downloads still take it.
    """
    _begin_elsewhere(config)
    if config.getoption("--sharded") and "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(SharedCluster(JOURNAL_MILLIS))
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "localhost,127.0.0.1,::1")))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _begin_elsewhere(config: pytest.Config) -> None:
    """Have each process of a whole run read another folder first: what one has compiled the others need not."""
    if config.args == config.getini("testpaths") and (worker := os.environ.get("PYTEST_XDIST_WORKER")):
        files = (path for folder in config.args for path in Path(folder).rglob("test_*.py"))
        places = [str(place) for place, _ in Counter(Path(*path.parts[:2]) for path in files).most_common()]
        first = int(worker.removeprefix("gw")) % len(places)
        config.args = places[first:] + places[:first]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put slow folders first, and files of a folder by name."""
    if config.getoption("--sharded"):
        _leave_out_what_needs_no_router(config, items)
    _leave_out_a_stranger_that_is_not_there(config, items)

    def rank(item: pytest.Item) -> int:
        places = [number for number, folder in enumerate(SLOW_FIRST) if item.nodeid.startswith(f"{folder}/")]
        return places[0] if places else len(SLOW_FIRST)

    items.sort(key=lambda item: (rank(item), item.path))


def _leave_out_what_needs_no_router(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out the tests that would run as they do without one, and what no router lets anybody do; count them so."""
    left_out = {
        item
        for item in items
        if ON_A_DEPLOYMENT.isdisjoint(getattr(item, "fixturenames", ())) or item.get_closest_marker("replica_set")
    }
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=list(left_out))


def _leave_out_a_stranger_that_is_not_there(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out the tests that need others' code where `make test` could not get it; they are counted as deselected."""
    if READY.exists():
        return
    left_out = [item for item in items if item.path.name == STRANGER]
    items[:] = [item for item in items if item not in left_out]
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was not tried."""
    if not READY.exists():
        path = Path(__file__).parent / "tests/e2e" / STRANGER
        count = len(re.findall(r"^def test_", path.read_text(encoding="utf-8"), re.MULTILINE))
        terminalreporter.section("NOT TRIED", yellow=True)
        terminalreporter.line(
            f"{count} tests of {STRANGER}: no Python 3.12, or no packages; `make stranger` says which"
        )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShardedCluster]:
    """A sharded cluster of this file's own, whose parts a test may stop; few files have one."""
    with ShardedCluster(tmp_path_factory.mktemp("sharded")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    """A replica set's URI; with ``--sharded`` a router's."""
    if request.config.getoption("--sharded"):
        with shared_cluster(request.config, tmp_path_factory.mktemp("sharded"), JOURNAL_MILLIS) as uri:
            yield uri
        return
    if given := os.environ.get("MONGO_URI"):
        yield given
        return
    with EmbeddedMongo(tmp_path_factory.mktemp("mongo"), journal_millis=JOURNAL_MILLIS) as mongod:
        yield mongod.uri


@pytest.fixture(scope="session")
def client(mongo_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    with connect(mongo_uri) as client:
        yield client


@pytest.fixture(scope="session")
def databases(client: MongoClient[dict[str, Any]], request: pytest.FixtureRequest) -> Iterator[Databases]:
    databases = Databases(client)
    if request.config.getoption("--sharded"):
        databases.prepare = partial(spread, client, chain="main", seq=3)
    yield databases
    databases.close()


@pytest.fixture
def database(databases: Databases, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an empty database, this test's alone. Where ``new_database`` marks a test it has no collections."""
    name = databases.take(new=request.node.get_closest_marker("new_database") is not None)
    yield name
    databases.give_back(name)


@pytest.fixture
def store(client: MongoClient[dict[str, Any]], database: str) -> MongoStore:
    return open_log(client, database, "example.com/log")


class _Output:
    """What standard output is at the moment of each write; pytest changes it between a test's phases."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture
def capsys(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """Also what loggers print that an earlier test has made: each keeps the output that it was made with."""
    for logger in logging.Logger.manager.loggerDict.values():
        handler = getattr(logger, "powertools_handler", None)
        if isinstance(handler, logging.StreamHandler):
            handler.stream = _Output()  # setStream would flush the one before, which may be closed
    return capsys


@pytest.fixture(scope="session")
def host_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sam build` makes for this Python, so that it can be imported."""
    return made_once(tmp_path_factory, "host-build", partial(build, "host")) / "built"


@pytest.fixture(scope="session")
def lambda_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is deployed: for Lambda, on the processor that samconfig.toml names."""
    return made_once(tmp_path_factory, "lambda-build", partial(build, "lambda")) / "built"
