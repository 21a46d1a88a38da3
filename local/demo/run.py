"""`python -m local.demo [FILE]`: log the events of a file, query, audit, prove one, edit one and see it found."""

import contextlib
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx2
from pymongo import MongoClient
from rich.console import Console

from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.formats.checkpoint import origin_line
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event_json import Receipt, parse_receipt
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.formats.tlog_proof import verify_tlog_proof
from eventlog.settings import Settings
from local.demo.api_client import ApiClient
from local.demo.events_file import batches, read_lines
from local.demo.tamper import edit_payload
from local.machine import HOST, LocalError, bind, wait_until
from local.mongod.embedded import EmbeddedMongo
from local.server import Server, build_app

SAMPLE = Path(__file__).parents[2] / "events" / "sample.ndjson"
LoggedEvent = dict[str, Any]
"""An event's fields in the file and those of its receipt, in one dictionary."""


class Demo:
    """The log's main job from start to end, against a running API; anything unexpected raises LocalError."""

    def __init__(self, api: ApiClient, mongo_uri: str, database: str, console: Console, public_key: bytes) -> None:
        self._api = api
        self._public_key = public_key
        self._origin = Settings().origin
        self._mongo_uri = mongo_uri
        self._database = database
        self._console = console

    def run(self, path: Path) -> None:
        """Run all steps with the events of a file."""
        events = self.ingest(path)
        self.query(events)
        self.audit_intact(events)
        self.prove(events[-1])
        self.tamper(events[len(events) // 2])

    def ingest(self, path: Path) -> list[LoggedEvent]:
        """Log the file; return the distinct events of its first event's chain, in order of seq."""
        self._step(f"Log the events of {path}")
        # By chain and id, as a file may have one event twice, which is logged once.
        logged: dict[tuple[str, str], LoggedEvent] = {}
        for batch in batches(read_lines(path)):
            for line, receipt in zip(batch, self._api.append(path, batch), strict=True):
                logged[receipt["chain"], receipt["event_id"]] = line.event | receipt
        first = next(iter(logged.values()))
        events = sorted((e for e in logged.values() if e["chain"] == first["chain"]), key=lambda event: event["seq"])
        self._console.print(f"{len(logged)} events, each with a receipt; the last one:")
        last = events[-1]
        self._console.print_json(data={name: last[name] for name in ("event_id", "chain", "seq", "prev_hash", "hash")})
        return events

    def query(self, events: Sequence[LoggedEvent]) -> None:
        """Query by time, type and source, with values from the data."""
        self._step("Query")
        chain = events[0]["chain"]
        times = sorted(event["timestamp"] for event in events)
        start, end = times[len(times) // 4], times[-1 - len(times) // 4]
        event_type = most_common(events, "event_type")
        source_id = most_common(events, "source_id")
        if start < end:
            inside = [event for event in events if start <= event["timestamp"] < end]
            self._expect(inside, chain=chain, start_time=start, end_time=end)
        self._expect([event for event in events if event["timestamp"] >= start], chain=chain, start_time=start)
        for name, value in (("event_type", event_type), ("source_id", source_id)):
            self._expect([event for event in events if event[name] == value], chain=chain, **{name: value})

    def audit_intact(self, events: Sequence[LoggedEvent]) -> None:
        """Audit the chain, and expect it to be intact."""
        self._step("Audit the whole chain")
        report = self._api.audit(events[0]["chain"])
        self._console.print(f"{report['events_checked']} events checked: [bold green]{report['status']}[/]")
        if report["status"] != "intact" or report["events_checked"] != len(events):
            raise LocalError(f"The audit of the untouched chain says {report['status']}: {report['findings']}.")

    def prove(self, event: LoggedEvent) -> None:
        """Exchange a receipt for a proof, and verify it with nothing but the log's public key."""
        self._step(f"Exchange the receipt of event {event['seq']} for a proof, verify it without the log")
        receipt = parse_receipt({field.name: event[field.name] for field in fields(Receipt)})
        proof = self._api.proof_file(receipt.event_id, receipt.chain)
        self._console.print(proof, markup=False, highlight=False)
        key = VerifierKey(origin_line(self._origin, receipt.chain), self._public_key)
        try:
            checkpoint = verify_tlog_proof(proof.encode(), receipt.hash, [key])
        except EvidenceError as error:
            raise LocalError(f"The proof of event {receipt.seq} does not verify: {error}.") from error
        self._console.print(f"Proven under the signed tree of {checkpoint.size} events, by the key {format_vkey(key)}")

    def tamper(self, victim: LoggedEvent) -> None:
        """Edit one event in the database, and expect the audit to name this event and nothing else."""
        self._step(f"Edit event {victim['seq']} straight in MongoDB, then audit again")
        with MongoClient[dict[str, Any]](self._mongo_uri) as client:
            before, after = edit_payload(client[self._database]["events"], victim["chain"], victim["seq"])
        self._console.print(f"- {before}", style="red", markup=False, highlight=False)
        self._console.print(f"+ {after}", style="green", markup=False, highlight=False)
        report = self._api.audit(victim["chain"])
        findings = [(finding["kind"], finding["seq"]) for finding in report["findings"]]
        self._console.print(f"{report['events_checked']} events checked: [bold red]{report['status']}[/]")
        self._console.print_json(data=report["findings"])
        if report["status"] != "tampered" or findings != [("payload_mismatch", victim["seq"])]:
            raise LocalError(f"The audit should name seq {victim['seq']} alone, and says {findings}.")

    def _expect(self, expected: Sequence[LoggedEvent], **parameters: str) -> None:
        found = self._api.find(**parameters)
        shown = " ".join(f"{name}={value}" for name, value in parameters.items() if name != "chain")
        self._console.print(f"{len(found):>6} events  {shown}", markup=False, highlight=False)
        if sorted(event["seq"] for event in found) != [event["seq"] for event in expected]:
            raise LocalError(f"The query {shown} should find {len(expected)} events, and found {len(found)}.")

    def _step(self, title: str) -> None:
        self._console.rule(title, align="left")


def most_common(events: Sequence[LoggedEvent], name: str) -> str:
    """Return the most common value of a field."""
    return str(Counter(event[name] for event in events).most_common(1)[0][0])


@contextlib.contextmanager
def running_api(settings: Settings) -> Iterator[ApiClient]:
    """Serve the API on a free port while the context lasts; yield a client of it."""
    bound = bind(0)
    url = f"http://{HOST}:{bound.getsockname()[1]}"
    server = Server(build_app(settings), bound)
    thread = threading.Thread(target=server.serve_forever, name="api")
    thread.start()
    client = ApiClient(url)
    try:
        # A server that fails to start ends its thread; then the client's first call says that nobody answers.
        wait_until("the API to start", lambda: server.started or not thread.is_alive())
        yield client
    finally:
        client.close()
        server.should_exit = True
        thread.join()


def run(path: Path, console: Console) -> None:
    """Run the demo on a log of its own, which is removed at the end.

    Raises:
        LocalError: the file can't be read, or something was not as expected.
    """
    read_lines(path)  # a bad file is reported before anything starts
    with tempfile.TemporaryDirectory(prefix="eventlog-demo-") as folder, EmbeddedMongo(Path(folder)) as mongo:
        key = Path(folder) / "key.pem"
        create_key_file(key)
        settings = Settings(mongo_uri=mongo.uri, anchors=f"{folder}/anchors", signing_keys=str(key))
        with running_api(settings) as api:
            Demo(api, mongo.uri, settings.mongo_database, console, KeyFile(key).public_key).run(path)


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 when everything was as it should be."""
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    os.environ.setdefault(
        "POWERTOOLS_LOG_LEVEL", "CRITICAL"
    )  # the audit is meant to find tampering here: no alarm in the log
    path = Path(arguments[0]) if arguments else SAMPLE
    try:
        run(path, Console(soft_wrap=True))
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    except httpx2.HTTPError as error:
        print(f"The API did not answer: {type(error).__name__}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("The edit was found. The temporary log is gone again.")
    return 0
