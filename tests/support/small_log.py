"""A small log over HTTP that holds a few events: enough for the commands that read, in milliseconds and no database."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from eventlog.formats import hashing, tiles
from eventlog.formats.bundle import SeqRange
from eventlog.formats.event import Event
from eventlog.formats.event_json import format_event, receipt_of
from eventlog.formats.note import format_vkey
from eventlog.formats.proof import heads, inclusion_ranges
from eventlog.formats.sse import format_frame
from eventlog.witness.keys import WitnessKey
from eventlog_client.appends import receipt_fields
from tests.support.evidence import KEY, LINE, ORIGIN, bundle_lines, checkpoint_of, events, nodes_of, signed
from tests.support.witnesses import cosigned

VKEY = format_vkey(KEY.named())
TEXT = "ü😀"
PAYLOAD = f'{{"text":"{TEXT}"}}'
NDJSON = "application/x-ndjson"


@dataclass
class SmallLog:
    """Events, which are all signed; ``asked`` has the requests' methods and targets.

    ``cosigners`` have cosigned at ``cosigned_at``; if they were ``late``, only the checkpoint of a size shows it.
    """

    events: Sequence[Event] = field(default_factory=lambda: list(events(3, payload=PAYLOAD)))
    asked: list[str] = field(default_factory=list)
    url: str = ""
    cosigners: Sequence[WitnessKey] = ()
    cosigned_at: int = 0
    late: bool = False

    @property
    def note(self) -> bytes:
        return signed(checkpoint_of(self.events)) if self.late else self.cosigned

    @property
    def cosigned(self) -> bytes:
        return cosigned(signed(checkpoint_of(self.events)), self.cosigned_at, *self.cosigners)

    @property
    def stream(self) -> bytes:
        """All events, and the checkpoint once."""
        frames = [format_frame(format_event(event), seq=event.seq) for event in self.events]
        note = json.dumps({"note": self.note.decode()}).encode()
        return b"".join([*frames, format_frame(note, event="checkpoint", retry=1)])

    @property
    def bundle(self) -> bytes:
        """A bundle of all events but the first."""
        size = len(self.events)
        return b"".join(bundle_lines(self.events, range(1, size), SeqRange(1, size), self.note))

    def receipt(self, seq: int = 0) -> dict[str, Any]:
        return receipt_fields(receipt_of(self.events[seq]))

    def proof(self, seq: int = 0) -> dict[str, Any]:
        event, size = self.events[seq], len(self.events)
        leaf = hashing.leaf(seq, event.prev_hash, event.entry.content_hash)
        return {
            "chain": event.entry.chain,
            "leaf_index": seq,
            "tree_size": size,
            "leaf": leaf.hex(),
            "leaf_hash": event.hash.hex(),
            "hashes": [value.hex() for value in heads(inclusion_ranges(seq, size), nodes_of(self.events))],
            "root": checkpoint_of(self.events).root.hex(),
            "checkpoint": self.note.decode(),
        }

    def answer(self, target: str) -> tuple[str, bytes] | None:  # noqa: PLR0911  a table
        """The media type and the body for what stands behind /api/v1, None if there is nothing."""
        match urlsplit(target).path.removeprefix("/api/v1/").split("/"):
            case ["events"]:
                return NDJSON, b"".join(format_event(event) + b"\n" for event in self.events)
            case ["events", "stream"] if not any("stream" in asked for asked in self.asked[:-1]):
                return "text/event-stream", self.stream
            case ["events", event_id, "proof"]:
                return "application/json", json.dumps(self.proof(self._seq(event_id))).encode()
            case ["export"]:
                return NDJSON, self.bundle
            case ["chains", "main"]:
                shown = self.proof() | {"origin": ORIGIN, "size": len(self.events), "keys": [VKEY]}
                return "application/json", json.dumps(shown | {"hash": self.events[-1].hash.hex()}).encode()
            case ["chains", "main", "checkpoint"]:
                return "text/plain", self.cosigned
            case ["chains", "main", "tlog", "checkpoint"]:
                return "text/plain", self.note
            case ["chains", "main", "tlog", "tile", "entries", "000.p", _]:
                leaves = (hashing.leaf(e.seq, e.prev_hash, e.entry.content_hash) for e in self.events)
                return "application/octet-stream", tiles.encode_entries(leaves)
            case ["audits"]:
                finding = {"kind": "payload_mismatch", "seq": 0, "expected": "", "actual": "", "detail": TEXT}
                report = {"audit_id": "a", "chain": "main", "status": "tampered", "events_checked": 3}
                return "application/json", json.dumps(report | {"findings": [finding]}).encode()
        return None

    def _seq(self, event_id: str) -> int:
        return next(event.seq for event in self.events if event.entry.event_id == event_id)


@contextmanager
def small_log() -> Iterator[SmallLog]:
    """A small log on a port of its own."""
    log = SmallLog()
    assert LINE.endswith("/main")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            log.asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = log.answer(self.path)
            kind, body = found or ("application/problem+json", b'{"title":"Not Found"}')
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002  the name is the base class's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        log.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="small log")
        thread.start()
        try:
            yield log
        finally:
            server.shutdown()
            thread.join()
