"""The dashboard's views of a chain of 1,000,000 events, in Chromium: how long each takes, and each of its requests."""

import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI
from playwright.sync_api import Browser, Page, Request, sync_playwright

from eventlog.anchors.signing import create_key_file
from eventlog.clock import now_millis
from eventlog.formats.search_keys import parse_fields
from eventlog.http.audits import run_scheduled
from eventlog.settings import Settings
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from local.server import build_app
from tools.benchmarks.chain_writers import FIELDS
from tools.benchmarks.http_servers import served
from tools.benchmarks.measure import BenchmarkReport, Run, Table, judged, percentile
from tools.benchmarks.seed import ORIGIN, seed
from tools.chromium import find_chromium

CEILING = 1.0
"""Seconds that a view may take, as 95th percentile."""
DATABASE = "views"
_DECLARED = "; ".join(f"{name}={pointers[0]}" for name, pointers in FIELDS.fields.items())
_ROWS, _CHECKED = "#main tbody tr", "#rows-checked::hashes, .empty"
_CHART = ".timeline .uplot canvas, .timeline p, .timeline .empty"
_ID = re.compile("/[0-9a-f]{8}-[0-9a-f-]{27}")


_READY = """(wanted) => new Promise((resolve) => {
  const isShown = (one) => {
    const [selector, text = ''] = one.split('::')
    const found = [...document.querySelectorAll(selector)]
    return found.some((each) => each.checkVisibility() && each.textContent.includes(text))
  }
  const isReady = () => wanted.every((any) => any.split(', ').some(isShown)) && !document.querySelector('.loading')
  const look = () => (isReady() ? resolve() : requestAnimationFrame(look))
  look()
})"""
"""Waits until one of each list of selectors is seen (``selector::text``: with this text in it) and nothing is loading.

It looks at each frame. The driver's own waiting looks every half second once a quarter of one is over.
"""

_GO = "(address) => (history.pushState(null, '', address), dispatchEvent(new PopStateEvent('popstate')), null)"
"""As a link within the page does; what was shown before is gone when it returns."""


@dataclass(frozen=True, slots=True)
class MeasuredView:
    """A view by its address, and what is there when it is ready.

    ``act``: what is done in it once it is there; then the time is from that to ``ready``.
    """

    name: str
    address: str
    ready: Sequence[str]
    act: Callable[[Page], object] | None = None
    anew: bool = False
    """Whether the page itself is loaded, too, as by an address that somebody types."""


def _events(name: str, query: str, *more: str) -> MeasuredView:
    return MeasuredView(name, f"view=events{query}", (f"{_ROWS}, .empty", _CHECKED, *more))


def _go_on(page: Page) -> None:
    page.locator("#older").click()


def _open_and_verify(page: Page) -> None:
    page.locator(f"{_ROWS} button.open").first.click()
    page.locator("#verify").click()


VIEWS = (
    MeasuredView("the page, loaded anew, with the overview", "", (".tile", ".uplot canvas"), anew=True),
    MeasuredView("overview, a week by type", "", (".tile", ".uplot canvas")),
    MeasuredView("overview, a week by source", "by=source_id", (".tile", ".uplot canvas")),
    _events("events: the newest 50, and the chart of all", "", _CHART),
    _events("events: the newest 50", "&order=desc"),
    MeasuredView(
        "events: from there to the next 50",
        "view=events",
        ("#newer", _CHECKED),
        lambda page: page.locator("#older").click(),
    ),
    _events("events of a type, and their chart", "&event_type=sshd.closed", _CHART),
    _events("events of a prefix and a source, and their chart", "&event_type=sshd.in*&source_id=host-3/sshd", _CHART),
    _events("events of a search field, and their chart", "&key=template:E7", _CHART),
    _events("events of a search field that few have", "&key=pid:21000", _CHART),
    _events("events of a search field and a prefix of types", "&key=template:E7&event_type=sshd.in*", _CHART),
    _events("events of two search fields", "&key=template:E7&key=pid:21000"),
    _events("events, oldest first", "&order=asc"),
    MeasuredView("an event, opened and verified", "view=events", (".verification",), _open_and_verify),
    MeasuredView("chain, at its end", "view=chain", (".chain-picture rect.chosen", ".facts")),
    MeasuredView("chain, in the middle", "view=chain&seq={middle}", (".chain-picture rect.chosen", ".facts")),
    MeasuredView("audits", "view=audits", ("main table",)),
    MeasuredView("keys", "view=keys", ("#vkey",)),
)
_NOTE = (
    "A chain of {count:,} events, one a second until now, with three search fields, audited and anchored; the server in"
    " a process of its own. Each view is gone to {visits} times, in turn with the others, as links within the page do"
    " it; the time is from there until everything in it is shown. Asked is p95 <= 1 s."
)
_REQUESTS_NOTE = "The requests that these views make, as the browser times them: from sending to the last byte."


@dataclass
class Times:
    """Seconds of each view, and of each kind of request."""

    views: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    requests: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def heard(self, request: Request) -> None:
        """Keep how long a request to the API took."""
        if "/api/v1/" in request.url:
            self.requests[kind_of(request.url)].append(request.timing["responseEnd"] / 1000)


def kind_of(url: str) -> str:
    """Name what a request asks for: its path without ids, and its parameters without their values."""
    parts = urlsplit(url)
    path = _ID.sub("/{id}", parts.path.removeprefix("/api/v1")).replace("/chains/main", "/chains/{chain}")
    names = sorted(set(parse_qs(parts.query)) - {"chain", "limit"})
    return f"{path} {', '.join(names)}".strip()


def run(run: Run) -> BenchmarkReport:
    """Fill a chain, open each view many times; return the table of views and that of requests."""
    count, visits = (20_000, 1) if run.quick else (1_000_000, 4)
    times = Times()
    with _log(run, count) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = _page(browser, times)
        _visit(page, url, count, Times())  # what is loaded once
        for _ in range(visits):
            _visit(page, url, count, times)
        browser.close()
    note = _NOTE.format(count=count, visits=visits)
    views = [
        [name, *_shown(found), judged(percentile(found, 95), ceiling=CEILING)] for name, found in times.views.items()
    ]
    requests = [[name, str(len(found)), *_shown(found)] for name, found in sorted(times.requests.items())]
    return BenchmarkReport(
        [
            Table("The dashboard's views of a long chain", note, ["view", "p50 s", "p95 s", "asked"], views),
            Table("Requests of these views", _REQUESTS_NOTE, ["request", "how many", "p50 s", "p95 s"], requests),
        ]
    )


def _shown(found: Sequence[float]) -> list[str]:
    return [f"{percentile(found, percent):.3f}" for percent in (50, 95)]


def _page(browser: Browser, times: Times) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.on("requestfinished", times.heard)
    return page


def _visit(page: Page, url: str, count: int, times: Times) -> None:
    """Open each view once."""
    for view in VIEWS:
        began = time.monotonic()
        address = f"{url}/?chain=main&{view.address.format(middle=count // 2)}"
        if view.anew:
            page.goto(address)
        else:
            page.evaluate(_GO, address)
        if view.act is not None:
            page.evaluate(_READY, [_CHECKED])
            began = time.monotonic()
            view.act(page)
        page.evaluate(_READY, list(view.ready))
        times.views[view.name].append(time.monotonic() - began)


@contextmanager
def _log(run: Run, count: int) -> Iterator[str]:
    """Serve a log of so many events while the context lasts; its address."""
    with tempfile.TemporaryDirectory(prefix="eventlog-bench-") as folder, run.client() as client:
        client.drop_database(DATABASE)
        create_key_file(Path(folder) / "key")
        with closing(Connection(_settings(Path(folder), run.uri, DATABASE))) as connection:
            wiring = AuditWiring(connection)
            run_scheduled(wiring, "incremental")  # declares the search fields
            seed(client, DATABASE, "main", count, start=now_millis() - count * 1000, fields=FIELDS)
            run_scheduled(wiring, "full")
        with served(partial(_app, Path(folder)), run.uri, DATABASE) as server:
            yield f"http://127.0.0.1:{server.port}"
        client.drop_database(DATABASE)


def _app(folder: Path, uri: str, database: str) -> FastAPI:
    return build_app(_settings(folder, uri, database))


def _settings(folder: Path, uri: str, database: str) -> Settings:
    assert parse_fields(_DECLARED).fields == FIELDS.fields
    settings = Settings(mongo_uri=uri, mongo_database=database, origin=ORIGIN, search_fields=_DECLARED)
    settings.anchors, settings.signing_keys = f"{folder}/anchors", f"{folder}/key"
    return settings
