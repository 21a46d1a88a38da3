"""A server with access control that has only just started: it has no signing keys yet and tells no cluster time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlog.store.mongo.store import MongoStore
from local.mongod.secured import SecuredMongo
from tests.support.anchored import AnchoredLog
from tests.support.factories import draft
from tests.support.secured import ADMIN_PASSWORD, SecuredLog


class YoungMongo(SecuredMongo):
    """It stays as it is in its first half second."""

    def _arguments(self) -> list[str]:
        parameters = ("enableTestCommands=1", 'failpoint.disableKeyGeneration={mode: "alwaysOn"}')
        return [*super()._arguments(), *(part for given in parameters for part in ("--setParameter", given))]


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredLog]:
    with YoungMongo(tmp_path_factory.mktemp("young"), ADMIN_PASSWORD) as mongo:
        with mongo.client() as client:
            assert "operationTime" not in client.admin.command("ping")
        log = SecuredLog(mongo)
        log.set_up()
        yield log


@pytest.fixture
def store(young: SecuredLog) -> Iterator[MongoStore]:
    with young.store("ingest") as store:
        yield store


def test_appends_get_their_places(store: MongoStore) -> None:
    seqs = [store.append("appends", [draft(chain="appends")])[0].event.seq for _ in range(3)]
    assert seqs == [0, 1, 2]


def test_a_chosen_id_is_replayed(store: MongoStore) -> None:
    for n in range(3):
        store.append("chosen", [draft(f"e{n}", chain="chosen")])
    again = [store.append("chosen", [draft(f"e{n}", chain="chosen")])[0] for n in range(3)]
    assert [(placed.event.seq, placed.replayed) for placed in again] == [(0, True), (1, True), (2, True)]
    assert store.settle("chosen") == 3


def test_it_can_be_audited(young: SecuredLog, store: MongoStore, tmp_path: Path) -> None:
    store.append("main", [draft() for _ in range(20)])
    with young.store("audit") as auditing:
        assert AnchoredLog(auditing, tmp_path).audit("full").status == "intact"
