"""Whatever error a server or a router answers to a push: the events are in once, or not at all and nobody was told so.

The errors are made by the driver itself, from answers as they come over the wire.
"""

from itertools import product

import pytest

from eventlog.audit.auditor import Auditor
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.interface import Draft
from eventlog.store.mongo import append
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.integration.writer import ORIGIN
from tests.support.clocks import Clock
from tests.support.factories import draft
from tests.support.open_answers import Router

OVER = {10058, 10107, 13435, 13436, 189, 11602}
"""Of a data-bearing node's own operation: not begun, or ended."""
OPEN = {50, 91, 262, 11600, 11601, 6, 7, 89, 133, 202, 9001, 1, 2, 13, 112, 134, 279, 8000, 123456, None}
"""What a router may say while the shard goes on, and codes that say nothing to us, or are not there."""


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> Router:
    monkeypatch.setattr(append, "time", Clock())
    return Router(monkeypatch)


def is_intact(store: MongoStore, chain: str) -> bool:
    auditor = Auditor(store, AuditStore(store), ORIGIN)
    return auditor.run(auditor.start(chain, "full"), 60).status == "intact"


def times_stored(store: MongoStore, chain: str, new: Draft) -> int:
    store.settle(chain)
    return operations_of(store).events.count_documents({"chain": chain, "event_id": new.entry.event_id})


def test_an_answer_that_leaves_the_outcome_open_lets_no_event_in_twice(store: MongoStore, router: Router) -> None:
    # Applied, it is found; not applied, nobody may push again, and so nobody is told that it is in.
    expected = {"not-applied": ("unavailable", 0), "applied": ("at 1", 1), "late": ("unavailable", 1)}
    wrong = []
    for code, how in product(OPEN, expected):
        chain = f"c{code}-{how}".lower()
        new = draft(chain=chain)
        store.append(chain, [draft(chain=chain)])
        router.arm(code, how)
        try:
            told = f"at {store.append(chain, [new])[0].event.seq}"
        except StoreUnavailableError:
            told = "unavailable"
        if how == "late":
            router.held()
        store.append(chain, [draft(chain=chain)])
        if (
            (told, times_stored(store, chain, new)) != expected[how]
            or router.pushes != 2
            or not is_intact(store, chain)
        ):
            wrong.append((code, how, told))
    assert not wrong


def test_an_answer_that_proves_that_a_push_is_over_lets_it_be_made_again(store: MongoStore, router: Router) -> None:
    for code, how in product(OVER, ("not-applied", "applied")):
        chain = f"c{code}-{how}"
        new = draft(chain=chain)
        store.append(chain, [draft(chain=chain)])
        router.arm(code, how)
        assert store.append(chain, [new])[0].event.seq == 1
        assert router.pushes == (2 if how == "not-applied" else 1)
        assert times_stored(store, chain, new) == 1


def test_an_id_that_a_client_chose_is_pushed_again_whatever_the_answer_was(store: MongoStore, router: Router) -> None:
    for code in OPEN | OVER:
        chain = f"c{code}".lower()
        new = draft("new", chain=chain)
        store.append(chain, [draft(chain=chain)])
        router.arm(code, "late")
        assert store.append(chain, [new])[0].event.seq == 1
        router.held()  # what was held back is refused by its bound
        assert times_stored(store, chain, new) == 1
        assert is_intact(store, chain)
