"""Chromium once a process, a context of its own for each test; every test fails on any error in the page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore, connect, open_log, operations_of
from local.server import build_app
from tests.browser.dashboard import ServedLog, Watched
from tests.support.anchored import ORIGIN, AnchoredLog
from tests.support.serving import served
from tools.chromium import find_chromium

Wrap = Callable[[Any], Any]
LAN = "log.lan"
"""Another machine, to the browser: a page that comes from it over plain http is given no cryptography."""
expect.set_options(timeout=30_000)  # what a page shows in the end, on a busy machine too


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Of this folder alone: while Playwright runs, so does an event loop of its own, and no other can here."""
    path = find_chromium()
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {LAN} 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@contextmanager
def serve(
    anchored: AnchoredLog, mongo_uri: str, database: str, port: int = 0, wrap: Wrap = lambda app: app, **more: Any
) -> Iterator[ServedLog]:
    """A log as `make run` serves it, on a free port; ``wrap`` puts something before it, ``more`` are settings."""
    settings = Settings(
        mongo_uri=mongo_uri,
        mongo_database=database,
        origin=ORIGIN,
        anchors=str(anchored.folder / "anchors"),
        signing_keys=str(anchored.folder / "key"),
        **more,
    )
    app = build_app(settings)
    with served(wrap(app), port) as url:
        yield ServedLog(url, anchored, app)
    app.state.connection.close()


@contextmanager
def serve_anew(mongo_uri: str, folder: Path, **more: Any) -> Iterator[ServedLog]:
    """The same on a database of its own, which is dropped in the end: for a module's tests to share."""
    name = f"test_{uuid4().hex[:12]}"
    with connect(mongo_uri) as client:
        store = open_log(client, name, ORIGIN)
        with serve(AnchoredLog(store, folder), mongo_uri, name, **more) as log:
            yield log
        client.drop_database(name)


@contextmanager
def watch(browser: Browser, home: str, *others: str, zone: str | None = None) -> Iterator[Watched]:
    """A page in a fresh profile, in a time zone; whatever goes wrong in it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id=zone)
    watched = Watched(context.new_page(), home, others)
    try:
        yield watched
    finally:
        context.close()
    assert watched.troubles == []


@pytest.fixture
def log(store: MongoStore, mongo_uri: str, database: str, tmp_path: Path) -> Iterator[ServedLog]:
    with serve(AnchoredLog(MongoStore(operations_of(store), ORIGIN), tmp_path), mongo_uri, database) as log:
        yield log


@pytest.fixture
def look(browser: Browser, log: ServedLog) -> Iterator[Watched]:
    with watch(browser, log.url) as watched:
        yield watched
