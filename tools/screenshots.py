"""`make screenshots`: the dashboard's views in light and dark, of a fresh log with a believable week in it."""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pymongo import MongoClient

from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.console import run as run_command
from eventlog.formats.checkpoint import origin_line
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.settings import Settings
from eventlog_client.addresses import open_http
from local.demo.api_client import checked
from local.demo.run import running_api
from local.demo.tamper import edit_payload
from local.demo.week import SampleEvent, week
from local.machine import LocalError
from local.mongod.embedded import EmbeddedMongo
from tools.chromium import find_chromium

Act = Callable[[Page], object]
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
WIDTH, HEIGHT = 1280, 800
COLOURS = 128
PIN = "localStorage.setItem('pinned-keys', JSON.stringify([%r]))"
BATCH = 250
VISITS = 8


@dataclass(frozen=True)
class Subject:
    """The log in the pictures."""

    url: str
    mongo: str
    database: str
    vkey: str

    def post(self, path: str, body: Any) -> dict[str, Any]:
        """Send a request to the log; return its answer.

        Raises:
            LocalError: it is an error.
        """
        with open_http(f"{self.url}/api/v1", None, 60, None) as http:
            return checked(http.post(path, json=body))

    def newest_order(self) -> dict[str, Any]:
        """Return the newest order.

        Raises:
            LocalError: the log answers with an error.
        """
        parameters = {"event_type": "order.placed", "limit": "1"}
        with open_http(f"{self.url}/api/v1", None, 60, None) as http:
            (found,) = checked(http.get("/events", params=parameters))["events"]
        event: dict[str, Any] = found
        return event

    def fill(self) -> None:
        """Log a week of events, with audits in between.

        Raises:
            LocalError: the log answers with an error.
        """
        events = week(datetime.now(UTC))
        for start in range(0, len(events), BATCH):
            self.post("/events/batch", events[start : start + BATCH])
            self.post("/audits", {"mode": "incremental"})
        self.post("/audits", {"mode": "full"})

    def log_visits(self) -> None:
        """Log the newest events of the week again, as if they came in the last seconds, for the live view."""
        now = datetime.now(UTC)
        for n, event in enumerate(week(now)[-VISITS:]):
            moment = now - timedelta(seconds=1.37 * (VISITS - n))
            told: SampleEvent = event | {"timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
            self.post("/events", told)

    def tamper(self, seq: int) -> str:
        """Edit one payload in the database; return the id of the audit that finds it."""
        with MongoClient[dict[str, Any]](self.mongo) as client:
            edit_payload(client[self.database]["events"], "main", seq)
        return str(self.post("/audits", {"mode": "full"})["audit_id"])


class Photographer:
    """Takes each picture of one log in both themes."""

    def __init__(self, browser: Browser, subject: Subject, folder: Path) -> None:
        self._subject = subject
        self._folder = folder
        self._pages = {theme: open_page(browser, subject.vkey, theme) for theme in THEMES}

    def take_all(self) -> None:
        """Take all pictures; for the last one an event is edited, and the log stays tampered with."""
        order = self._subject.newest_order()
        self._subject.log_visits()
        chosen = f"?view=events&event={order['event_id']}"
        self._take("overview", "?range=week", ".uplot canvas")
        self._take("events", chosen, "#detail pre:visible")
        self._take("verify", chosen, ".verification", verify)
        self._take("chain", f"?view=chain&zoom=16&seq={order['seq']}", "main svg")
        self._take("audits", "?view=audits", "main table")
        self._take("keys", "?view=keys", "main li code")
        self._take("live", "?view=events&live=on", "tbody tr", self._watch)
        audit = self._subject.tamper(order["seq"])
        self._take("audits-tampered", f"?view=audits&audit={audit}", "main table")
        self._take("events-tampered", chosen, "#detail [data-finding]")

    def _take(self, name: str, query: str, shown: str, act: Act = lambda _: None) -> None:
        for theme, page in self._pages.items():
            page.goto(f"{self._subject.url}/{query}")
            page.wait_for_selector("main h1")
            act(page)
            page.wait_for_selector(shown)
            expect(page.locator(".loading")).to_have_count(0)
            save(page.screenshot(), self._folder / f"{name}-{theme}.png")

    def _watch(self, page: Page) -> None:
        expect(page.locator("#events-status")).to_contain_text("Live")
        page.wait_for_selector("tbody tr")
        before = page.locator("tbody tr").count()
        self._subject.log_visits()
        expect(page.locator("tbody tr")).to_have_count(before + VISITS)


def open_page(browser: Browser, vkey: str, theme: Theme) -> Page:
    """Open a page in a profile of its own, in which the log's key is pinned."""
    size: Any = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")
    context.add_init_script(PIN % vkey)
    return context.new_page()


def verify(page: Page) -> None:
    """Verify the chosen event in the page."""
    page.get_by_role("button", name="Verify in my browser").click()


def save(picture: bytes, path: Path) -> None:
    """Write a picture with a palette of few colours, which makes the file small."""
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


@contextlib.contextmanager
def fresh_log() -> Iterator[Subject]:
    """Serve a filled log on a free port while the context lasts; the log in `.eventlog/` is not touched."""
    with tempfile.TemporaryDirectory(prefix="eventlog-pictures-") as folder, EmbeddedMongo(Path(folder)) as mongo:
        key = Path(folder) / "key.pem"
        create_key_file(key)
        settings = Settings(mongo_uri=mongo.uri, anchors=f"{folder}/anchors", signing_keys=str(key))
        vkey = format_vkey(VerifierKey(origin_line(settings.origin, "main"), KeyFile(key).public_key))
        with running_api(settings) as api:
            subject = Subject(api.url, mongo.uri, settings.mongo_database, vkey)
            subject.fill()
            yield subject


def take(folder: Path) -> None:
    """Take all pictures into a folder.

    Raises:
        LocalError: there is no Chromium, or the log does not start.
    """
    chromium = find_chromium()
    folder.mkdir(parents=True, exist_ok=True)
    with fresh_log() as subject, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        Photographer(browser, subject, folder).take_all()
        browser.close()


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 the pictures are there, 1 something prevented it."""
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")
    folder = Path(arguments[0])
    try:
        take(folder)
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    pictures = sorted(folder.glob("*.png"))
    print(f"{len(pictures)} pictures in {folder}, {sum(path.stat().st_size for path in pictures) / 1e6:.1f} MB.")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
