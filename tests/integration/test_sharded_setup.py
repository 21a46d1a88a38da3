"""Setting up a sharded cluster: each shard gets its part of the chains, and a chain goes where an operator says."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from admin.command import CommandError
from admin.place import main, place
from admin.setup import Setup
from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.store.interface.audits import LEASE_MILLIS
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.leases import Leases
from eventlog.store.mongo.store import MongoStore, connect, open_log, operations_of
from local.drill.attacks import ATTACKS
from local.drill.honest import Honest, make_honest
from local.drill.run import attack
from local.machine import wait_until
from tests.integration.writer import CHAIN, ORIGIN, check_chain, receipt
from tests.support.factories import draft
from tests.support.secured import PASSWORDS
from tests.support.sharded.cluster import ShardedCluster
from tests.support.sharded.placing import gather, spread
from tests.support.sharded.routing import hash_of
from tests.support.watched import from_now, told_since

Client = MongoClient[dict[str, Any]]
DRILLED = ["edit a queryable field", "set the sequence document back", "rewrite events that are not anchored yet"]
"""One attack for each place where it is found; ``pytest --sharded tests/integration/test_drill.py`` has the others."""
CHAINS = [f"tenant-{number}" for number in range(24)]


@pytest.fixture(scope="module")
def router(cluster: ShardedCluster) -> Iterator[Client]:
    with connect(cluster.uri) as client:
        yield client


@pytest.fixture(scope="module")
def honest(router: Client, tmp_path_factory: pytest.TempPathFactory) -> Honest:
    """A log of the drill, each copy of which is spread over both shards."""
    folder: Path = tmp_path_factory.mktemp("drill")
    create_key_file(folder / "key")
    return make_honest(router, folder, KeyFile(folder / "key"), partial(spread, router, chain=CHAIN, seq=20))


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    return f"test_{request.node.name.removeprefix('test_')[:20]}"


def set_up(cluster: ShardedCluster, router: Client, database: str, *, check: bool = False) -> dict[str, str]:
    """What is not as declared, each with its state and its words."""
    setup = Setup(router, cluster.uri, database, check=check)
    found = [*setup.collections(), *setup.roles(PASSWORDS)]
    return {f"{each.kind} {each.name}": f"{each.state}: {each.detail}" for each in found if each.state != "as declared"}


def appended(store: MongoStore) -> list[Any]:
    placed = [store.append(chain, [draft(chain=chain)])[0] for chain in CHAINS]
    return placed + store.append(CHAIN, [draft("chosen")])


def shares(cluster: ShardedCluster, database: str) -> dict[str, int]:
    """How many sequence documents each shard has."""
    found = {}
    for name, shard in cluster.shards.items():
        with shard.client() as client:
            found[name] = client[database]["sequences"].count_documents({})
    return found


def test_a_new_database_meets_every_shard_and_is_as_declared_the_second_time(
    cluster: ShardedCluster, router: Client, database: str
) -> None:
    missing = set_up(cluster, router, database, check=True)
    assert missing.pop("placement sequences") == "skipped: its shard key comes first"
    assert set(missing.values()) <= {"missing: ", "skipped: no password for it was given"}
    assert set(set_up(cluster, router, database).values()) == {"created: "}
    assert set_up(cluster, router, database) == set_up(cluster, router, database, check=True) == {}
    store = open_log(router, database, ORIGIN)
    placed = appended(store)
    assert min(shares(cluster, database).values()) > 2
    # As a shard is that was added later, or that has lost all of its ranges.
    gather(router, f"{database}.sequences")
    told = set_up(cluster, router, database, check=True)["placement sequences"]
    assert told.startswith("differs: ")
    assert "sh1 has 0% of it" in told
    assert set_up(cluster, router, database) == {"placement sequences": told.replace("differs", "changed")}
    assert set_up(cluster, router, database, check=True) == {}
    assert min(shares(cluster, database).values()) > 2
    assert check_chain(store, [receipt(placed[-1])]) == 1


def test_chains_of_a_log_that_was_on_one_shard_are_spread_and_go_on(
    cluster: ShardedCluster, router: Client, database: str
) -> None:
    store = open_log(router, database, ORIGIN)
    placed = appended(store)
    assert set_up(cluster, router, database, check=True)["shard key sequences"] == "missing: "
    changed = set_up(cluster, router, database)
    assert changed["shard key sequences"] == "created: "
    assert changed["placement sequences"].startswith("changed: ")
    assert "sh1 has 0% of it" in changed["placement sequences"]
    assert set_up(cluster, router, database, check=True) == {}
    assert min(shares(cluster, database).values()) > 2
    placed += store.append(CHAIN, [draft()])
    assert AuditStore(store).chain_names() == [CHAIN, *sorted(CHAINS)]
    assert [chain.name for chain in store.chains("", 100) if hasattr(chain, "name")] == [CHAIN, *sorted(CHAINS)]
    assert check_chain(store, [receipt(each) for each in placed if each.event.entry.chain == CHAIN]) == 2


def test_a_shard_key_of_the_version_before_is_told_and_left_alone(
    cluster: ShardedCluster, router: Client, database: str
) -> None:
    router.admin.command("shardCollection", f"{database}.sequences", key={"_id": 1})
    told = "it is {'_id': 1}: chains whose names are alike meet one shard; see reshardCollection"
    for check in (True, False):
        found = set_up(cluster, router, database, check=check)
        assert told in found["shard key sequences"]
        assert found["placement sequences"] == "skipped: its shard key comes first"


def test_the_balancer_puts_a_chains_order_and_events_where_its_zone_is(
    cluster: ShardedCluster, router: Client, database: str
) -> None:
    set_up(cluster, router, database)
    store = open_log(router, database, ORIGIN)
    # Of two chains at least one is elsewhere before.
    chains = [next(name for name in CHAINS if (hash_of(name) > 0) is high) for high in (True, False)]
    placed = {chain: store.append(chain, [draft(chain=chain)]) for chain in chains}
    for chain in chains:
        store.settle(chain)
    start = from_now(store)
    router.admin.command("addShardToZone", "sh1", zone="busy")
    for chain in chains:
        assert place(router, database, chain, "busy") == place(router, database, chain, "busy") == ["sh1"]
    with cluster.shards["sh1"].client() as client:
        there = client[database]
        router.admin.command("balancerStart")
        try:
            wait_until(
                "the balancer",
                lambda: all(
                    there["sequences"].count_documents({"_id": chain})
                    and there["events"].count_documents({"chain": chain})
                    for chain in chains
                ),
            )
        finally:
            router.admin.command("balancerStop")
    assert {chain: [store.get(chain, p.event.entry.event_id) for p in given] for chain, given in placed.items()} == {
        chain: [p.event for p in given] for chain, given in placed.items()
    }
    assert operations_of(store).sequences.count_documents({}) == 2
    assert set_up(cluster, router, database, check=True) == {}  # zones are the operator's
    assert told_since(store, start) == []  # what moves is not taken for what somebody has done


def test_a_chain_that_can_not_be_placed_is_refused_in_one_sentence(
    cluster: ShardedCluster,
    router: Client,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CommandError, match="'No chain' is not the name of a chain"):
        place(router, database, "No chain", "busy")
    with pytest.raises(CommandError, match="is not sharded as declared; run make db-setup first"):
        place(router, database, CHAIN, "busy")
    set_up(cluster, router, database)
    monkeypatch.setenv("MONGO_ADMIN_URI", cluster.uri)
    monkeypatch.setenv("MONGO_DATABASE", database)
    assert main([CHAIN, "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("No shard is in zone nowhere; in mongosh: sh.addShardToZone(")
    router.admin.command("addShardToZone", "sh0", zone="quiet")
    assert main([CHAIN, "quiet"]) == 0
    assert capsys.readouterr().out.startswith("Chain main belongs to zone quiet (sh0).")


def test_a_lease_goes_by_the_routers_clock_and_a_wrong_one_costs_work_that_is_done_twice(
    cluster: ShardedCluster, router: Client, database: str
) -> None:
    store = open_log(router, database, ORIGIN)
    placed = store.append(CHAIN, [draft()])
    leases, name = Leases(store), "schedule/full"
    assert leases.take(name, "first")
    with cluster.clock_ahead(LEASE_MILLIS / 1000 - 20):  # as much as a lease has left is no harm
        assert not leases.take(name, "second")
    with cluster.clock_ahead(LEASE_MILLIS / 1000 + 1) as wrong:
        assert leases.take(name, "second") is wrong
        leases.renew(name, "first")
        assert check_chain(store, map(receipt, placed)) == 1  # two at once find what one finds
    leases.release(name, "first")
    leases.release(name, "second")
    assert leases.take(name, "third")


@pytest.mark.parametrize("name", DRILLED)
def test_an_attack_on_a_sharded_log_ends_as_the_table_says(honest: Honest, name: str) -> None:
    (each,) = [each for each in ATTACKS if each.name == name]
    with honest.copy(witnessed=each.witnessed) as log:
        outcome = attack(log, each)
        assert (outcome.where, outcome.found) == (each.where, each.found)
