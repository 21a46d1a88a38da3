"""Chromium once a process, a context of its own for each test; every test fails on any error in the page."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from eventlog.settings import Settings
from eventlog.store.mongo import MongoStore
from local.server import build_app
from tests.anchored import ORIGIN, AnchoredLog
from tests.browser.dashboard import ServedLog, Watched, find_chromium
from tests.serving import served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def serve(anchored: AnchoredLog, mongo_uri: str, database: str) -> Iterator[ServedLog]:
    """A log as `make run` serves it, on a free port."""
    settings = Settings(
        mongo_uri=mongo_uri,
        mongo_database=database,
        origin=ORIGIN,
        anchors=str(anchored.folder / "anchors"),
        signing_keys=str(anchored.folder / "key"),
    )
    app = build_app(settings)
    with served(app) as url:
        yield ServedLog(url, anchored)
    app.state.resources.close()


@pytest.fixture
def log(store: MongoStore, mongo_uri: str, database: str, tmp_path: Path) -> Iterator[ServedLog]:
    with serve(AnchoredLog(MongoStore(store.operations, ORIGIN), tmp_path), mongo_uri, database) as log:
        yield log


@pytest.fixture
def look(browser: Browser, log: ServedLog) -> Iterator[Watched]:
    """A page in a fresh profile."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    watched = Watched(context.new_page(), log.url)
    yield watched
    context.close()
    assert watched.troubles == []
