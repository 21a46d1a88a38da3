"""A log served on a port, filled and anchored, and a real Chromium that looks at it."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from fastapi import FastAPI
from playwright.sync_api import ConsoleMessage, Page, Request, Response, Route

from eventlog.formats.checkpoint import origin_line
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.http.wired import wiring_of
from eventlog.ingest import native
from eventlog.ingest.submission import make_draft
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.wiring.query import QueryWiring
from tests.support.anchored import ORIGIN, AnchoredLog

ODD = "<script>document.title='run'</script><b>\"'&amp; \u202eright to left \u05d0\u05d1 \U0001f600"
"""What a page that reads text as HTML would stumble over."""

READ = """async () => {
  for (let turn = 0; turn < 3; turn += 1) await fetch('/dashboard/config.json').then((found) => found.json())
}"""
"""Wait until answers that have come have been read."""
PATIENCE = 30


@dataclass
class ServedLog:
    """What the browser looks at; ``url`` is the dashboard's."""

    url: str
    log: AnchoredLog
    app: FastAPI

    @property
    def readers(self) -> int:
        """How many live streams the server has."""
        return wiring_of(self.app, QueryWiring).streams._readers

    @property
    def store(self) -> MongoStore:
        return self.log.store

    @property
    def vkey(self) -> str:
        """What a viewer of the chain main pins."""
        return format_vkey(VerifierKey(origin_line(ORIGIN, "main"), self.log.signers[0].public_key))

    def append(self, *events: dict[str, Any], chain: str = "main") -> list[str]:
        """Append and settle; the ids."""
        placed = self.store.append(chain, [self._draft(event, chain) for event in events])
        self.store.settle(chain)
        return [one.event.entry.event_id for one in placed]

    def _draft(self, event: dict[str, Any], chain: str) -> Any:
        now = datetime.now(UTC)
        whole = {
            "event_type": "user.login",
            "source_id": "web-1",
            "timestamp": (now - timedelta(seconds=1)).isoformat(timespec="milliseconds"),
            "payload": {},
        }
        return make_draft(native.read(whole | event, chain), principal="tester", received_at=self.log.now())

    def edit(self, event_id: str, update: dict[str, Any]) -> None:
        """What a database administrator could do."""
        changed = operations_of(self.store).events.update_one({"_id": f"main/{event_id}"}, {"$set": update})
        assert changed.modified_count == 1


@dataclass
class Watched:
    """A page that tells what went wrong in it, and whom it asked."""

    page: Page
    home: str
    others: tuple[str, ...] = ()
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("request", self._see)
        self.page.on("response", self._check)

    def open(self, **state: Any) -> Page:
        """The page in a state."""
        query = "&".join(f"{name}={value}" for name, value in state.items())
        self.page.goto(f"{self.home}/?{query}" if query else self.home)
        self.page.wait_for_selector("main h1")
        return self.page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.troubles.append(f"console: {message.text}")

    def _check(self, response: Response) -> None:
        """What the API refuses is for the page to show; its own files must be there."""
        if response.status >= 400 and response.url.startswith(self.home) and "/api/" not in response.url:
            self.troubles.append(f"{response.status} {response.url}")

    def _see(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:", *self.others)):
            self.troubles.append(f"asked another host: {request.url}")


class Held:
    """Requests of a page that match an address; each waits until it is let through."""

    def __init__(self, page: Page, pattern: str) -> None:
        self._page = page
        self.routes: list[Route] = []
        page.route(re.compile(pattern), self._hold)

    def _hold(self, route: Route) -> None:
        self.routes.append(route)

    def wait_for(self, count: int) -> None:
        """Wait until so many have come."""
        end = monotonic() + PATIENCE
        while len(self.routes) < count:
            assert monotonic() < end, f"{len(self.routes)} of {count} requests came"
            self._page.wait_for_timeout(20)

    def release(self, answer: Any = None) -> None:
        """Let those through that have come, or answer them; the page has read what they brought."""
        for route in self.routes:
            with self._page.expect_response(route.request.url):
                route.continue_() if answer is None else route.fulfill(json=answer)
        self._page.evaluate(READ)


def pin(look: Watched, vkey: str) -> None:
    """Pin a key as a viewer does."""
    page = look.open(view="keys")
    page.fill("#vkey", vkey)
    page.click("button:text-is('Pin')")
    page.wait_for_selector(f"li:has-text('{vkey}')")


def verify(look: Watched, event_id: str) -> Page:
    """Open an event by its address, and have it verified."""
    page = look.open(view="events", event=event_id)
    page.click("button:text-is('Verify in my browser')")
    page.wait_for_selector(".verification")
    return page


def outcomes(page: Page) -> dict[str, str]:
    """What each step of a verification showed."""
    found = page.locator(".steps > li").all()
    return {str(one.get_attribute("data-step")): str(one.get_attribute("class")) for one in found}


def filters(page: Page) -> Page:
    """Unfold the fields of the filters."""
    if not page.locator(".filter-box[open]").count():
        page.locator(".filter-box summary").click()
    return page


def listed(page: Page, begins: str = "") -> dict[str, str]:
    """What the list of chains offers for how a name begins: each chain with its words."""
    if page.locator("#chain-list").is_hidden():
        page.click("#chain")
    page.fill("#chain-search", begins)
    page.locator("#chain-list li").first.wait_for()
    page.wait_for_function("text => document.getElementById('chain-search').value === text", arg=begins)
    items = page.locator("#chain-list a").all()
    return {str(one.get_attribute("data-chain")): one.inner_text() for one in items}


def choose_chain(page: Page, chain: str) -> None:
    """Choose a chain as a viewer does who knows its name."""
    page.click("#chain")
    page.fill("#chain-search", chain)
    page.locator(f"#chain-list a[data-chain='{chain}']").click()


def screenshot(page: Page, path: Path) -> None:
    """The whole page."""
    page.screenshot(path=path, full_page=True)
