"""An organisation of the federation: its log, its witness, and what its own administrator can do to both."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pymongo import MongoClient

from eventlog.anchors.registry import REGISTRY
from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.audit.report_documents import read_report
from eventlog.clock import now_millis
from eventlog.evidence.proofs import Evidence
from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import make_entry
from eventlog.formats.note import VerifierKey
from eventlog.http.audits import run_scheduled
from eventlog.settings import Settings
from eventlog.store.interface import Draft
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.store import MongoStore, open_log
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from eventlog.witness.keys import WitnessKey, witness_key
from eventlog_client.witness_server import WitnessServer

CHAIN = "main"
Payload = dict[str, Any]


class Organisation:
    """An organisation with a database of its own on a shared server, and a folder with all its files."""

    def __init__(self, name: str, uri: str, client: MongoClient[dict[str, Any]], folder: Path) -> None:
        self.name, self.folder = name, folder
        self.origin = f"{name}.example/log"
        self.policy = folder / "policy.txt"
        self.database = f"federation_{name}_{uuid4().hex[:8]}"
        self._uri, self._client = uri, client
        folder.mkdir(parents=True)
        create_key_file(folder / "log.pem")
        self.witness_key: WitnessKey = witness_key(Ed25519PrivateKey.generate(), f"witness.{name}.example/w1")

    @property
    def keys(self) -> list[VerifierKey]:
        """The verifier keys of its chains, which it gives to others' witnesses."""
        public_key = KeyFile(self.folder / "log.pem").public_key
        return [VerifierKey(f"{self.origin}/{chain}", public_key) for chain in (CHAIN, REGISTRY)]

    @property
    def store(self) -> MongoStore:
        """Its log."""
        return open_log(self._client, self.database, self.origin)

    @contextmanager
    def witness(self) -> Iterator[WitnessServer]:
        """Run its witness, on a port that is free."""
        with WitnessServer(self.folder / "witness", [self.witness_key], ("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()

    def append(self, payloads: list[Payload]) -> None:
        """Log events, as a client does."""
        self.store.append(CHAIN, [_draft(payload) for payload in payloads])
        self.store.settle(CHAIN)

    def round(self, *, asks: bool = True) -> dict[str, list[str]]:
        """Have the schedule's audit run, in a new process as it were; return what it found, by chain.

        It anchors what it verified and then asks the witnesses of its policy, unless its administrator prevents that.
        """
        settings = Settings(
            _env_file=None,
            mongo_uri=self._uri,
            mongo_database=self.database,
            origin=self.origin,
            anchors=str(self.folder / "anchors"),
            signing_keys=str(self.folder / "log.pem"),
            witness_policy=str(self.policy) if asks else "",
            witness_chains="",  # all, so that each has a checkpoint to show
            witness_fresh_seconds=1,
        )
        connection = Connection(settings)
        try:
            wired = AuditWiring(connection)
            found: dict[str, list[str]] = {}
            for short in run_scheduled(wired, "incremental")["audits"]:
                document = wired.reports.get(short["audit_id"])
                for finding in read_report(document).findings if document else ():
                    found.setdefault(short["chain"], []).append(f"{finding.kind}: {finding.detail}")
            return found
        finally:
            connection.close()

    def checkpoint(self) -> bytes:
        """Return what its log shows to everybody: the newest checkpoint, with the cosignatures that it has."""
        return Evidence(MongoEvidenceReader(self.store)).checkpoint(CHAIN).note

    def rewrite(self, payloads: list[Payload]) -> None:
        """As its hostile administrator: replace the whole history, sign it anew, and have the own witness forget.

        It holds everything that the organisation has: database, anchors, signing key, and its witness.
        """
        self._client.drop_database(self.database)
        for name in ("anchors", "witness"):
            shutil.rmtree(self.folder / name)
        self.append(payloads)
        self.round(asks=False)

    def close(self) -> None:
        """Remove its database."""
        self._client.drop_database(self.database)


def _draft(payload: Payload) -> Draft:
    now = now_millis()
    entry = make_entry(
        chain=CHAIN,
        event_id=uuid4().hex,
        event_type="invoice.paid",
        source_id="books",
        timestamp=now,
        received_at=now,
        principal="clerk",
        payload=canonicalize(payload).decode(),
        salt=os.urandom(16),
    )
    return Draft(entry, id_chosen=True)
