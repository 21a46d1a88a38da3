"""What the log gave out before an erasure: it verifies afterwards, and what is asked for again is the same to the byte.

Receipts, proofs in both forms, roots, checkpoints, tiles,
the proof of a head, a bundle of version 1; and what a monitor kept.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.http.app import create_app
from eventlog.http.governance import carry_out
from eventlog.http.wired import wiring_of
from eventlog.stored.bodies import APART_FROM
from eventlog.wiring.erase import EraseWiring
from eventlog_client.cli import main
from functions.erase.app import routers as erase_routers
from functions.ingest.app import routers as ingest_routers
from functions.query.app import routers as query_routers
from tests.support.anchored import ORIGIN, AnchoredLog
from tests.support.governed import SECRET, governed_settings
from tests.support.serving import served

API, CHAIN = "/api/v1", "/api/v1/chains/main"
COUNT = 11
ERASED = (0, 4, 5, 10)
"""Seqs. Of these 5 has a payload that is stored apart, and all are part of every proof that is given."""
NAMES = [f"e{seq}" for seq in range(COUNT)]
AT = f"size={COUNT}"
ASKED = [
    *(f"{API}/events/{name}/receipt" for name in NAMES),
    *(f"{API}/events/{name}/proof?{AT}" for name in NAMES),
    *(f"{CHAIN}/consistency?first={first}&second={COUNT}" for first in (1, 4, 5, 10)),
    *(f"{CHAIN}/root?size={size}" for size in range(1, COUNT + 1)),
    *(f"{CHAIN}/checkpoint?size={size}" for size in (6, COUNT)),
    *(f"{CHAIN}/tlog/tile/{tile}" for tile in (f"0/000.p/{COUNT}", f"entries/000.p/{COUNT}")),
]
"""What can be asked for again."""
FILES = [f"{API}/events/{name}/proof?{AT}" for name in NAMES]
"""Proofs that are asked for as C2SP files, too."""


@pytest.fixture
def app(log: AnchoredLog, mongo_uri: str, database: str, tmp_path: Path) -> Iterator[FastAPI]:
    """A log whose chain main has two checkpoints, and another chain beside it."""
    settings = governed_settings(mongo_uri, database, tmp_path)
    log.governance = settings.governance_public_keys
    app = create_app(*ingest_routers, *query_routers, *erase_routers, title="x", settings=settings, anonymous=True)
    with closing(app.state.connection):
        yield app


def append(api: TestClient, seqs: range, chain: str = "main") -> Iterator[bytes]:
    for seq in seqs:
        payload = {"name": SECRET, "more": "x" * (APART_FROM if seq == 5 else 1)}
        event = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": payload}
        answer = api.post(f"{API}/events", json=event | {"event_id": f"e{seq}", "chain": chain})
        assert answer.status_code == 201
        yield answer.content


def given(api: TestClient) -> dict[str, bytes]:
    """All that can be asked for again, byte for byte."""
    found = {path: api.get(path) for path in ASKED}
    found |= {f"{path} as a file": api.get(path, headers={"accept": "text/plain"}) for path in FILES}
    assert {answer.status_code for answer in found.values()} == {200}
    return {path: answer.content for path, answer in found.items()}


def verified(*arguments: Any) -> None:
    assert main(list(map(str, arguments))) == 0, arguments


def check_files(folder: Path, key: str) -> None:
    """Verify what is in a folder with nothing but the log's public key."""
    for name in NAMES:
        known = ("--receipt", folder / f"{name}.receipt"), ("--event", folder / f"{name}.event")
        for kind in ("proof", "tlog-proof"):
            for which in known:
                verified("verify-proof", folder / f"{name}.{kind}", "--key", key, *which)
    verified("verify-head", folder / "head.json", "--key", key)
    verified("verify-bundle", folder / "all.ndjson", "--key", key)


def write_files(api: TestClient, folder: Path, receipts: list[bytes], found: dict[str, bytes]) -> None:
    """Keep what was given, as whoever got it would."""
    folder.mkdir()
    for name, receipt in zip(NAMES, receipts, strict=True):
        proof = f"{API}/events/{name}/proof?{AT}"
        (folder / f"{name}.receipt").write_bytes(receipt)
        (folder / f"{name}.event").write_bytes(api.get(f"{API}/events/{name}").content)
        (folder / f"{name}.proof").write_bytes(found[proof])
        (folder / f"{name}.tlog-proof").write_bytes(found[f"{proof} as a file"])
    (folder / "head.json").write_bytes(api.get(f"{CHAIN}/head").content)
    (folder / "all.ndjson").write_bytes(api.get(f"{API}/export").content)


def test_what_was_given_out_before_an_erasure(app: FastAPI, log: AnchoredLog, tmp_path: Path) -> None:
    key = format_vkey(VerifierKey(f"{ORIGIN}/main", log.signers[0].public_key))
    with TestClient(app) as api, served(app) as url:
        receipts = [*append(api, range(6))]
        log.audit_all()
        receipts += append(api, range(6, COUNT))
        assert len([*append(api, range(2), "other")]) == 2
        log.audit_all()
        before, folder = given(api), tmp_path / "given"
        write_files(api, folder, receipts, before)
        follow = ("verify-log", url, "--key", key, "--state", tmp_path / "state")
        verified(*follow)
        check_files(folder, key)
        bundle = (folder / "all.ndjson").read_bytes()
        assert (bundle.startswith(b'{"format":"eventlog-bundle/v1"'), bundle.count(SECRET.encode())) == (True, COUNT)

        order = {"events": [{"seq": seq} for seq in ERASED], "basis": "gdpr-art-17", "reason": "request 118"}
        assert api.post(f"{CHAIN}/erasures", json=order).status_code == 202
        log.audit_all()
        assert carry_out(wiring_of(app, EraseWiring), 60)["emptied"] == len(ERASED)
        log.audit_all()
        full = log.audit("full")
        assert (full.status, full.erased, full.erasures_pending) == ("intact", len(ERASED), 0)
        gone = [json.loads(api.get(f"{API}/events/{name}").content)["payload"] is None for name in NAMES]
        assert [seq for seq, payload in enumerate(gone) if payload] == list(ERASED)

        after = given(api)
        assert [path for path in before if after[path] != before[path]] == []
        check_files(folder, key)
        verified(*follow)
        write_files(api, tmp_path / "again", [api.get(f"{API}/events/{name}/receipt").content for name in NAMES], after)
        check_files(tmp_path / "again", key)
        assert (tmp_path / "again/all.ndjson").read_bytes().startswith(b'{"format":"eventlog-bundle/v2"')
        for name in NAMES:  # what an append was answered, and what is answered for its receipt after the erasure
            assert (tmp_path / f"again/{name}.receipt").read_bytes() == (folder / f"{name}.receipt").read_bytes()
