"""A full round that is shared, as the audit function is called for it: each chain is audited once."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from eventlog.anchors.signing import create_key_file
from eventlog.settings import Settings
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from functions.chain_audit import app as function
from local import server
from tests.support.factories import draft

REGISTRY = "eventlog.registry"


@pytest.fixture
def settings(mongo_uri: str, database: str, tmp_path: Path) -> Settings:
    create_key_file(tmp_path / "key")
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database)
    settings.anchors, settings.signing_keys = str(tmp_path / "anchors"), str(tmp_path / "key")
    return settings


def by_the_function(wired: AuditWiring, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(function, "wiring_of", lambda *_: wired)
    assert function.handler({"source": "eventlog.share"}, None) == {"items": []}
    return function.handler({"source": "eventlog.conclude", "mode": "full"}, None)


def by_the_local_server(wired: AuditWiring, _: pytest.MonkeyPatch) -> dict[str, Any]:
    return server.run_audits(wired, "full")


def by_a_schedule_that_shares_nothing(wired: AuditWiring, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(function, "wiring_of", lambda *_: wired)
    return function.handler({"source": "eventlog.schedule", "mode": "full"}, None)


@pytest.mark.parametrize("run", [by_the_function, by_the_local_server, by_a_schedule_that_shares_nothing])
def test_each_chain_is_audited_once(
    settings: Settings,
    run: Callable[[AuditWiring, pytest.MonkeyPatch], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with closing(Connection(settings)) as connection:
        for chain in ("a", "b"):
            connection.log.append(chain, [draft(chain=chain) for _ in range(3)])
        wired = AuditWiring(connection)
        wired.auditor.audit_all("incremental", 60)  # which makes the registry
        for _ in range(2):
            done = run(wired, monkeypatch)
            assert sorted((each["chain"], each["mode"]) for each in done["audits"]) == [
                ("a", "full"),
                ("b", "full"),
                (REGISTRY, "full"),
            ]
            assert wired.auditor.full_age() is not None
