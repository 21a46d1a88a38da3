"""The development server: the routes of all functions in one app over one connection, and the audit schedule."""

import signal
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from eventlog.audit.schedule import declare_fields
from eventlog.http.app import create_app
from eventlog.http.audits import conclude_shared, plan_shared, run_scheduled
from eventlog.http.frames import InFrames
from eventlog.http.tokens import read_tokens
from eventlog.http.wired import wiring_of
from eventlog.settings import ConfigurationError, Settings
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.erase import EraseWiring
from eventlog.wiring.query import QueryWiring
from functions.chain_audit import app as chain_audit
from functions.erase import app as erase
from functions.ingest import app as ingest
from functions.query import app as query
from functions.stream import app as stream
from local.anchors import open_anchors
from local.database import open_database
from local.erasing import EraseThread
from local.hosts import OwnHosts
from local.limits import BoundedHeaders, Crowded, Deadlines, Limits
from local.machine import LocalError, url_of
from local.reference import router as reference
from local.settling import SettleSchedule
from local.sharing import share_full_audit
from local.watching import WatchThread

AUDIT_SECONDS = 60.0
FULL_AUDIT_SECONDS = 24 * 3600.0
STOP_SECONDS = 5.0
SEARCH_FIELDS = "user=/user; ip=/ip; order=/order"
"""What `make run` declares unless the settings say otherwise: what the events of `make demo-data` have."""

BANNER = """\
Look at the log: {url}

Event Logging System, development server (Ctrl-C stops it)
  API      {url}/api/v1
  Docs     {url}/docs
  Access   {access}
  MongoDB  {mongo}
  Anchors  {anchors}

Log an event:
  curl -X POST {url}/api/v1/events{header} -H 'Content-Type: application/json' \\
    -d '{{"event_type": "user.login", "timestamp": "{now}", "source_id": "web/shop", "payload": {{"user": "u-1"}}}}'
Find it:
  curl{header} '{url}/api/v1/events?event_type=user.login'
Check the whole chain:
  curl -X POST {url}/api/v1/audits{header} -H 'Content-Type: application/json' -d '{{"mode": "full"}}'
"""

RunAudits = Callable[[str], dict[str, Any]]


def build_app(settings: Settings) -> FastAPI:
    """Build the whole API as one app; without tokens it is open, to this machine alone."""
    # The first route that matches answers: stream comes before the queries, where it would be an event's id.
    routers = (
        *ingest.routers,
        *stream.routers,
        *query.routers,
        query.dashboard_router,
        *chain_audit.routers,
        *erase.routers,
        reference,
    )
    app = create_app(*routers, title="local", settings=settings, anonymous=not settings.tokens)
    if not settings.tokens:
        app.add_middleware(OwnHosts)
    app.title = "Event Logging System"
    return app


class AuditSchedule(threading.Thread):
    """Audits every chain each minute, as the scheduler does in the cloud; from seq 0 at first and then once a day."""

    def __init__(self, run_audits: RunAudits, tell: Callable[[str], None], every: float = AUDIT_SECONDS) -> None:
        super().__init__(name="audit-schedule", daemon=True)
        self._run_audits = run_audits
        self._tell = tell
        self._every = every
        self._next_full = time.monotonic()
        self._stopping = threading.Event()

    def run(self) -> None:
        """Audit at each interval until ``stop`` is called; ``start`` runs this in the thread."""
        while not self._stopping.wait(self._every):
            self._tick()

    def stop(self) -> None:
        """End it; an audit at work gets a moment, and a later one resumes it."""
        self._stopping.set()
        if self.is_alive():
            self.join(STOP_SECONDS)

    def _tick(self) -> None:
        full = time.monotonic() >= self._next_full
        try:
            done = self._run_audits("full" if full else "incremental")
        except Exception as error:  # whatever it is, the schedule must go on: the next round tries again
            if not self._stopping.is_set():
                self._tell(f"The scheduled audit failed: {type(error).__name__}.")
            return
        if full and "skipped" not in done:
            self._next_full = time.monotonic() + FULL_AUDIT_SECONDS
        for report in done["audits"]:
            if report["status"] == "tampered":
                self._tell(describe(report))


def run_audits(wired: AuditWiring, mode: str) -> dict[str, Any]:
    """Run the schedule's audits; a full round's long chains are shared by processes first."""
    if mode != "full":
        return run_scheduled(wired, mode)
    plan = plan_shared(wired)
    share_full_audit(plan["items"], wired.settings)
    return conclude_shared(wired, plan["round"])


def describe(report: dict[str, Any]) -> str:
    """Tell of tampering in one sentence."""
    what = f"chain {report['chain']}" if report["chain"] else "the database"
    return f"TAMPERED: the audit of {what} has findings, see /api/v1/audits/{report['audit_id']}."


class Server(uvicorn.Server):
    """uvicorn on a socket that is bound already.

    ``when_ready`` is called when it takes requests, ``when_stopping`` before it waits for the last answers to end.
    """

    def __init__(
        self,
        app: FastAPI,
        bound: socket.socket,
        when_ready: Callable[[], None] = lambda: None,
        when_stopping: Callable[[], None] = lambda: None,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        limited = InFrames(Crowded(app, limits, lambda: len(self.server_state.connections)))
        stop = int(STOP_SECONDS)
        super().__init__(
            uvicorn.Config(limited, http=BoundedHeaders, log_level="warning", timeout_graceful_shutdown=stop, ws="none")
        )
        self._deadlines = Deadlines(limits)
        self._bound = bound
        self._when_ready = when_ready
        self._when_stopping = when_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, then call ``when_ready`` if that succeeded."""
        await super().startup(sockets)
        if self.started:
            self._when_ready()

    async def on_tick(self, counter: int) -> bool:
        """Look at the connections in each tick, and do what uvicorn does."""
        self._deadlines.sweep(self.server_state.connections)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Call ``when_stopping``, then shut down as uvicorn does."""
        self._when_stopping()  # ends streams, which uvicorn would wait for in vain
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal; a second one changes nothing, as it stops within seconds anyway."""
        if not self.should_exit:
            super().handle_exit(sig, frame)

    def serve_forever(self) -> None:
        """Serve until a signal or ``should_exit``."""
        self.run([self._bound])


def check_tokens(path: str | None) -> None:
    """Check the token file, if there is one, before anything is started.

    Raises:
        LocalError: It can't be used.
    """
    try:
        if path:
            read_tokens(path)
    except ConfigurationError as error:
        text = str(error)
        raise LocalError(f"{text[0].upper()}{text[1:]}.") from error


def describe_server(url: str, mongo: str, anchors: str, tokens: str | None) -> str:
    """Fill in the banner."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    access = f"with a token of {tokens}" if tokens else "open, for this machine alone"
    header = ' -H "Authorization: Bearer $EVENTLOG_TOKEN"' if tokens else ""
    return BANNER.format(url=url, mongo=mongo, anchors=anchors, now=now, access=access, header=header)


def serve(
    bound: socket.socket, mongo_uri: str | None, tokens: str | None, tell: Callable[[str], None], limits: Limits
) -> None:
    """Serve the API on ``bound``, with the database and the audits it needs, until a signal.

    Raises:
        LocalError: Something that it needs can't be had; the text says what to do.
        KeyboardInterrupt: It was stopped by Ctrl-C.
    """
    check_tokens(tokens)
    with open_database(mongo_uri) as (uri, place):
        anchors = open_anchors(uri, embedded=mongo_uri is None)
        fields = {} if "search_fields" in anchors.settings.model_fields_set else {"search_fields": SEARCH_FIELDS}
        app = build_app(anchors.settings.model_copy(update={"tokens": tokens, **fields}))
        banner = describe_server(url_of(bound), place, anchors.description, tokens)
        audits = AuditSchedule(partial(run_audits, wiring_of(app, AuditWiring)), tell)
        reads = wiring_of(app, QueryWiring)
        settling = SettleSchedule(reads.log)
        watching = WatchThread(wiring_of(app, AuditWiring), tell)
        erasing = EraseThread(wiring_of(app, EraseWiring), tell)
        declare_fields(lambda: wiring_of(app, AuditWiring).declaring)  # at once: the first event is found by them
        audits.start()
        watching.start()
        settling.start()
        erasing.start()
        try:
            Server(app, bound, lambda: tell(banner), reads.end_streams, limits).serve_forever()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # what is left takes a moment and should not be cut short
            audits.stop()
            settling.stop()
            erasing.stop()
            watching.stop()
