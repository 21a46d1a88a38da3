"""The development server's settling of quiet chains."""

from eventlog.store.mongo.store import MongoStore, operations_of
from local.machine import wait_until
from local.settling import SettleSchedule
from tests.support.factories import draft


def test_only_chains_that_nobody_appends_to_are_settled(store: MongoStore) -> None:
    schedule = SettleSchedule(store)
    store.append("main", [draft()])
    store.settle("main")  # a chain's first event is settled at once; this waits for a majority to know it
    for size in (2, 3):
        store.append("main", [draft()])
        schedule.tick()
        assert store.unsettled() == {"main": size}
    schedule.tick()
    assert store.unsettled() == {}
    assert operations_of(store).events.count_documents({}) == 3


def test_the_thread_settles_and_stops(store: MongoStore) -> None:
    schedule = SettleSchedule(store, every=0.01)
    schedule.start()
    for chain in ("a", "b"):
        store.append(chain, [draft(chain=chain)])
        store.append(chain, [draft(chain=chain)])
    wait_until("both to be settled", lambda: not store.unsettled())
    schedule.stop()
    assert not schedule.is_alive()
