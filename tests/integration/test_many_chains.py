"""What very many chains cost, counted: a round in which they have grown, and a page of their list.

And how many of them are settled together, whatever happens meanwhile.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, BulkWriteError
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.registry import REGISTRY
from eventlog.audit import going_round, heads
from eventlog.formats import hashing
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.interface import Query
from eventlog.store.mongo import settle_many
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import MongoStore, open_log, operations_of
from eventlog.stored import codec
from eventlog.stored.sequences import new_sequence
from tests.support.anchored import ORIGIN, AnchoredLog
from tests.support.factories import draft
from tests.support.profiled import profiled

Client = MongoClient[dict[str, Any]]
FEW, MANY = 10, 40
COMMANDS = 13
"""To the database, for each chain that has grown: 9 reads of the chain, 2 of them for the proof that it extends its
newest anchor; 2 looks for the newest copy; the new copy and the report."""


class Commands(CommandListener):
    """Counts what a client asks its server, from any thread."""

    def __init__(self) -> None:
        self.counted = Counter[str]()
        self._lock = threading.Lock()

    def started(self, event: CommandStartedEvent) -> None:
        with self._lock:
            self.counted[event.command_name] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing more is counted."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing more is counted."""


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def counted(mongo_uri: str, database: str, tmp_path: Path, commands: Commands) -> Iterator[AnchoredLog]:
    """A log whose commands are counted."""
    with Client(mongo_uri, event_listeners=[commands], retryWrites=False) as client:
        yield AnchoredLog(open_log(client, database, ORIGIN), tmp_path)


def grow(log: AnchoredLog, chains: list[str]) -> None:
    """Append an event to each, and leave it pending."""
    for chain in chains:
        log.store.append(chain, [draft(chain=chain, received_at=log.now())])


@pytest.mark.parametrize("packing", [False, True], ids=["alone", "packed"])
def test_a_chain_that_has_grown_costs_so_many_commands_and_two_objects_or_none_of_its_own(
    counted: AnchoredLog, commands: Commands, monkeypatch: pytest.MonkeyPatch, packing: bool
) -> None:
    counted.packing = packing
    monkeypatch.setattr(going_round, "MANY", 4)
    monkeypatch.setattr(heads, "LOOKED_AT", 0)
    created, create = Counter[str](), DirectoryAnchors.create

    def counting(self: DirectoryAnchors, chain: str, key: str, data: bytes) -> bool:
        created[key.rpartition(".")[2] if "." in key else "pack"] += 1
        return create(self, chain, key, data)

    chains = [f"c{number:02}" for number in range(MANY)]
    grow(counted, chains)
    counted.audit_all()
    assert list(counted.audit_all()) == [REGISTRY]
    monkeypatch.setattr(DirectoryAnchors, "create", counting)
    costs = []
    for grown in (chains[:FEW], chains):
        grow(counted, grown)
        commands.counted.clear()
        created.clear()
        found = counted.audit_all()
        assert {report.status for report in found.values()} == {"intact"}
        assert list(found) == [*grown, REGISTRY]
        assert {chain: report.unanchored_events for chain, report in found.items() if report.unanchored_events} == {}
        costs.append((Counter(commands.counted), Counter(created)))
    (few, objects), (many, more) = costs
    assert more - objects == (Counter() if packing else Counter(note=MANY - FEW, claim=MANY - FEW))
    for_each = {name: (many[name] - few[name]) / (MANY - FEW) for name in many if many[name] != few[name]}
    cost = COMMANDS + 2 * packing  # which packs copies name is asked twice, as anchors are read twice
    assert for_each == {"find": cost - 2, "insert": 1, "update": 1}
    assert few.total() - cost * FEW < 80, "what the round, its registry and its commitment cost"


CHAINS = ("a", "b", "c")


@pytest.fixture
def pending(log: AnchoredLog) -> AnchoredLog:
    """Three chains that have two settled events each, and two that are pending."""
    for chain in CHAINS:
        log.append(2, chain)
        grow(log, [chain])
        grow(log, [chain])
    return log


def settle(log: AnchoredLog) -> None:
    log.store.settle("b")


def settled(log: AnchoredLog) -> dict[str, str]:
    return AuditStore(log.store).settle_many([*CHAINS, "none"])


def state(log: AnchoredLog) -> dict[str, tuple[int, int]]:
    """The settled size of each chain, and how many events it shows."""
    pages = {chain: log.store.page(Query(chain=chain, sort="seq", order="asc")) for chain in CHAINS}
    assert all([event.seq for event in page.events] == [*range(page.size)] for page in pages.values())
    return {chain: (page.settled_size, page.size) for chain, page in pages.items()}


def test_many_are_settled_at_once_and_what_has_nothing_pending_is_left_as_it_is(pending: AnchoredLog) -> None:
    expected = dict.fromkeys(CHAINS, ORIGIN)
    assert settled(pending) == expected
    assert state(pending) == dict.fromkeys(CHAINS, (4, 4))
    assert settled(pending) == expected
    assert {report.status for report in pending.audit_all("full").values()} == {"intact"}


def events_of(log: AnchoredLog, chain: str) -> list[bytes]:
    image = operations_of(log.store).read_sequence(chain)
    assert image is not None
    return [codec.encode_event(event) for event in image.events()]


def insert_first(log: AnchoredLog) -> None:
    """Another settler has died after it had inserted an event."""
    operations_of(log.store).events.insert_one(codec.decode(events_of(log, "b")[0]))


def put_another(log: AnchoredLog) -> None:
    """Somebody has put another event into the place of one that is pending."""
    other = codec.decode(events_of(log, "b")[0]) | {"_id": "b/other", "event_id": "other"}
    operations_of(log.store).events.insert_one(other)


def damage(log: AnchoredLog) -> None:
    operations_of(log.store).sequences.update_one({"_id": "b"}, {"$set": {"settled.frontier": "none"}})


def fill(log: AnchoredLog) -> None:
    for _ in range(2):  # neither of which is so large that its writer settles it
        log.store.append("b", [draft(chain="b", payload={"text": "x" * 6_000}) for _ in range(6)])


LEFT: dict[str, Callable[[AnchoredLog], None]] = {
    "one that another settler is at": insert_first,
    "one with another event in the place": put_another,
    "one that is damaged": damage,
    "one with much pending": fill,
}


@pytest.mark.parametrize("name", LEFT)
def test_one_that_is_not_plain_is_left_alone_and_keeps_no_other_from_it(pending: AnchoredLog, name: str) -> None:
    LEFT[name](pending)
    before = operations_of(pending.store).sequences.find_one({"_id": "b"})
    assert settled(pending) == {"a": ORIGIN, "c": ORIGIN}
    assert operations_of(pending.store).sequences.find_one({"_id": "b"}) == before


def die(_: AnchoredLog) -> None:
    raise KeyboardInterrupt


def lose_connection(_: AnchoredLog) -> None:
    raise AutoReconnect("lost")


MEANWHILE: dict[str, list[Callable[[AnchoredLog], None]]] = {
    "more is appended": [lambda log: grow(log, ["b"])],
    "another settles it": [settle],
    "another settles it, and more is appended": [settle, lambda log: grow(log, ["b"])],
    "this process dies": [die],
    "the connection breaks": [lose_connection],
}
NONE = dict.fromkeys(CHAINS, (2, 4))
LEAVES = dict(zip(MEANWHILE, ({"b": (4, 5)}, {}, {"b": (4, 5)}, NONE, NONE), strict=True))
"""The chains that are not settled then: how many of their events are, and how many there are."""


@pytest.mark.parametrize("name", MEANWHILE)
def test_whatever_happens_between_insert_and_trim_nothing_is_lost_or_doubled(
    pending: AnchoredLog, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    trim, left = settle_many._trim, LEAVES[name]

    def meanwhile(*given: Any) -> None:
        for happens in MEANWHILE[name]:
            happens(pending)
        trim(*given)

    with monkeypatch.context() as patch:
        patch.setattr(settle_many, "_trim", meanwhile)
        if left is NONE:
            with pytest.raises((KeyboardInterrupt, StoreUnavailableError)):
                settled(pending)
        else:
            assert set(settled(pending)) == set(CHAINS) - set(left)
    assert state(pending) == dict.fromkeys(CHAINS, (4, 4)) | left
    for chain in CHAINS:
        pending.store.settle(chain)
    assert all(size == shown for size, shown in state(pending).values())
    assert {report.status for report in pending.audit_all("full").values()} == {"intact"}


def test_what_no_majority_has_is_not_trimmed(pending: AnchoredLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to the insert says that it was applied, and that no majority is known to have it."""
    insert_many = type(operations_of(pending.store).raw_events).insert_many

    def unacknowledged(*given: Any, **more: Any) -> None:
        insert_many(*given, **more)
        raise BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64}]})

    with monkeypatch.context() as patch:
        patch.setattr(type(operations_of(pending.store).raw_events), "insert_many", unacknowledged)
        assert settled(pending) == {}
    assert state(pending) == dict.fromkeys(CHAINS, (2, 4))


def test_a_page_of_chains_examines_what_it_shows(store: MongoStore) -> None:
    """However many there are, and also for a caller who may see a few of them only, behind all others."""
    held, shown = operations_of(store).sequences, 50
    names = [f"tenant-{number:04}" for number in range(3000)]
    held.insert_many(new_sequence(name, ORIGIN, hashing.genesis(ORIGIN, name)) for name in names)
    pages: list[tuple[str, list[str] | None, list[str]]] = [
        ("", None, names[:shown]),
        (names[2000], None, names[2001 : 2001 + shown]),
        ("", ["tenant-299*"], names[2990:]),
        ("", [names[2998], names[10], "tenant-297*", "z"], [names[10], *names[2970:2980], names[2998]]),
    ]
    for after, allowed, expected in pages:
        with profiled(held.database) as cost:
            found = store.chains(after, shown, allowed)
        assert [chain.name for chain in found] == expected
        assert cost.total() <= 2 * len(expected) + 20, cost  # a key and a document each
