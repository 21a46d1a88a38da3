"""Witnesses over HTTP: our own, and one that says what a test has written down; logs that ask them."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from eventlog.anchors.places import COSIGNATURES, open_anchors
from eventlog.audit.notices import Silence
from eventlog.audit.report import AuditReport
from eventlog.audit.witness_parts import WitnessRound
from eventlog.audit.witness_round import Witnessing
from eventlog.audit.witnessed import WitnessView
from eventlog.formats.name_filter import NameFilter
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.store.mongo.cosignatures import WitnessRows
from eventlog.stored.witness_records import WitnessRecord
from eventlog.wiring.witnessing import AskedWitnesses
from eventlog.witness.keys import WitnessKey
from eventlog.witnessing.http_call import WitnessReply, call
from eventlog.witnessing.policies import PolicySource
from eventlog_client.witness_server import WitnessServer
from tests.support.anchored import ORIGIN, AnchoredLog

FRESH = 600_000


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    """A server in a thread."""
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def witness_of(folder: Path, key: WitnessKey, *logs: VerifierKey) -> Iterator[WitnessServer]:
    """Our own witness, which knows these logs."""
    server = WitnessServer(folder, [key], ("127.0.0.1", 0))
    for log in logs:
        server.state.add_log(log)
    with running(server):
        yield server


def policy_of(*witnesses: tuple[str, WitnessKey, str], needed: int | str = "all") -> bytes:
    """A policy of these witnesses, by name, key and URL, of which so many are needed."""
    lines = [f"witness {name} {format_vkey(key.key)} {url}\n" for name, key, url in witnesses]
    names = " ".join(name for name, _, _ in witnesses)
    return f"{''.join(lines)}group orgs {needed} {names}\nquorum orgs\n".encode()


@dataclass
class AskingLog:
    """An anchored log that asks witnesses, by a policy in a file; ``asked`` are the paths of all requests."""

    log: AnchoredLog
    chains: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)

    @property
    def policy(self) -> Path:
        return self.log.folder / "policy"

    def key(self, chain: str = "main") -> VerifierKey:
        return VerifierKey(f"{ORIGIN}/{chain}", self.log.signers[0].public_key)

    @property
    def witnesses(self) -> AskedWitnesses:
        policy = PolicySource(str(self.policy))
        return AskedWitnesses(
            log=self.log.store, anchoring=self.log.anchoring(), origin=ORIGIN, policy=policy, clock=self.log.now
        )

    def witnessing(self) -> Witnessing:
        return self.witnesses.witnessing(
            standings=self.log.auditor().standings,
            notices=Silence(),
            kept=open_anchors(str(self.log.folder / "anchors" / COSIGNATURES), 1),
            wanted=NameFilter.of(self.chains),
            fresh_seconds=FRESH // 1000,
            caller=self._call,
        )

    @property
    def records(self) -> WitnessRows:
        return WitnessRows(self.log.store)

    def record(self, name: str = "w0", chain: str = "main") -> WitnessRecord:
        (found,) = [record for record in self.records.of([chain]) if record.witness == name]
        return found

    def witnessed(self) -> WitnessView:
        return self.witnesses.view()

    def round(self) -> WitnessRound:
        """What the schedule does: all chains are audited and anchored, then witnesses are asked."""
        return self.witnessing().round(self.audit_all().values())

    def audit_all(self) -> dict[str, AuditReport]:
        auditor = self.log.auditor()
        auditor._running.witnessed = self.witnessed()
        return {report.chain: report for report in auditor.audit_all("incremental", 60)}

    def _call(self, url: str, body: bytes | None) -> WitnessReply:
        self.asked.append(url)
        return call(url, body)


Says = Callable[[bytes | None], tuple[int, str, bytes]]
"""What a witness answers to a body, or to a request for what it holds: status, media type, body."""


class ScriptedWitness(ThreadingHTTPServer):
    """A witness that answers as its script says, each request by the next entry; GET by ``shows``."""

    daemon_threads = True

    def __init__(self, *script: Says, shows: tuple[int, bytes] = (404, b"")) -> None:
        self.script = list(script)
        self.shows = shows
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Scripted)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/w"


class _Scripted(BaseHTTPRequestHandler):
    server: ScriptedWitness

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        self._say(*self.server.script.pop(0)(body))

    def do_GET(self) -> None:
        assert re.fullmatch("/w/[0-9a-f]{64}/checkpoint", self.path)
        status, body = self.server.shows
        self._say(status, "text/plain", body)

    def _say(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
