"""Each attack of the tamper drill is found by what the drill says, as what it says, or, as it says, by nobody."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from rich.console import Console

from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.store.mongo import schema
from local.drill import on_events, on_packs, on_schema
from local.drill.attack import FULL, INCREMENTAL, MONITOR, NOBODY, Attack
from local.drill.attacks import ATTACKS
from local.drill.honest import Honest, make_honest
from local.drill.log import CHAINS, COLLECTIONS, DrillLog
from local.drill.run import attack, chosen, findings, ranges, run
from tests.support.databases import Databases

REFUSED_BY_ROUTERS = {
    "insert an event",
    "swap two events",
    "store an event twice",
    "hide rows by an index with a filter",
    "let seqs be taken twice",
    "plant an event whose chain is an array",
    "rename a chain among very many idle ones",
}
"""They change a shard key, or drop its index, which is for who reaches a shard itself."""
RENAMING = {f"put a view in the place of {name}" for name in ("events", "sequences", "checkpoints", "audits")}
RENAMING.add("put other events in their place for a while")
"""They rename collections, which the router of the tests can't."""
CASES = [pytest.param(each, marks=pytest.mark.replica_set) if each.name in RENAMING else each for each in ATTACKS]
FOUND_EARLY = [
    pytest.param(each, marks=pytest.mark.replica_set) if each.name in RENAMING else each
    for each in ATTACKS
    if each.where == INCREMENTAL
]


def _is_refused(each: Attack, log: DrillLog, request: pytest.FixtureRequest) -> bool:
    """Whether a router is between that does not let anybody do it."""
    if not request.config.getoption("--sharded") or each.name not in REFUSED_BY_ROUTERS:
        return False
    with pytest.raises(OperationFailure):
        each.act(log)
    return True


Make = Callable[[bool], Honest]
"""Makes the honest log, once, or the one with packs."""


@pytest.fixture(scope="module")
def make(client: MongoClient[dict[str, Any]], databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Make:
    @cache
    def make(packed: bool) -> Honest:
        folder = tmp_path_factory.mktemp("drill")
        create_key_file(folder / "key")
        return make_honest(client, folder, KeyFile(folder / "key"), databases.prepare, packed=packed)

    return make


@pytest.fixture
def honest(make: Make) -> Honest:
    return make(False)


@pytest.mark.parametrize("each", CASES, ids=lambda each: each.name)
def test_an_attack_ends_as_the_table_says(make: Make, each: Attack, request: pytest.FixtureRequest) -> None:
    with make(each.packed).copy(witnessed=each.witnessed) as log:
        if _is_refused(each, log, request):
            return
        outcome = attack(log, each)
        # Of rows on several shards that change at once, any may be told first.
        found, expected = outcome.found, each.found
        if request.config.getoption("--sharded"):
            found, expected = ("; ".join(sorted(text.split("; "))) for text in (found, expected))
        assert (outcome.where, found) == (each.where, expected)
        if each.where == INCREMENTAL:  # what was found is found again by every later audit
            assert findings(log.audit("full"))
            assert findings(log.audit("incremental"))


@pytest.mark.parametrize("each", FOUND_EARLY, ids=lambda each: each.name)
def test_what_an_incremental_audit_finds_a_full_one_finds_too(
    make: Make, each: Attack, request: pytest.FixtureRequest
) -> None:
    with make(each.packed).copy(witnessed=each.witnessed) as log:
        if _is_refused(each, log, request):
            return
        each.act(log)
        assert findings(log.audit("full"))


def test_the_honest_log_has_the_anchors_that_the_attacks_are_aimed_at(honest: Honest) -> None:
    with honest.copy() as log:
        found = [
            (copy["number"], copy["size"]) for copy in log.checkpoints.find({"chain": "main"}, sort=[("number", 1)])
        ]
        assert (len(log.files()), found) == (4, [(1, 12), (2, 21), (3, 31), (4, 39)])


def test_the_packed_one_has_them_in_packs_with_both_chains_in_each(make: Make) -> None:
    with make(True).copy() as log:
        packs = [on_packs.entries(log, number) for number in range(1, 9)]
        assert [sorted(pack) for pack in packs] == [
            [(chain, f"{number:012}.{kind}") for chain in CHAINS]
            for number in range(1, 5)
            for kind in ("claim", "note")
        ]
        assert [*map(log.files, CHAINS)] == [[], []]


@pytest.mark.replica_set
def test_each_copy_has_the_indexes_of_a_log_that_was_set_up(honest: Honest) -> None:
    def indexes(log: DrillLog) -> dict[str, dict[str, Any]]:
        return {name: dict(log.admin[name].index_information()) for name in COLLECTIONS}

    with honest.copy() as log, honest.copy() as other:
        on_schema.set_up(other)
        assert indexes(log) == indexes(other)
        assert set(COLLECTIONS) <= set(log.admin.list_collection_names()) <= {each.name for each in schema.COLLECTIONS}


@pytest.mark.parametrize(
    "wrong",
    [
        Attack("an edit that is said not to be found", "3", on_events.edit, NOBODY),
        Attack("nothing that is said to be found", "1", on_events.send_nothing, FULL, "main missing 3"),
        Attack("another seq", "3", on_events.edit, FULL, "main payload_mismatch 16"),
        Attack("another audit", "3", on_events.edit, INCREMENTAL, "main payload_mismatch 17"),
        Attack("a monitor that sees nothing", "1", on_events.send_nothing, MONITOR, "main contradicted"),
    ],
    ids=lambda each: each.name,
)
def test_a_claim_that_is_wrong_fails_the_drill(
    client: MongoClient[dict[str, Any]], tmp_path: Path, wrong: Attack
) -> None:
    assert not run(client, tmp_path, Console(quiet=True), [wrong])


def test_all_attacks_are_carried_out_or_those_that_are_chosen_by_parts_of_their_names() -> None:
    assert chosen([]) == ATTACKS
    assert [each.name for each in chosen(["hide an index", "make an index"])] == [
        "make an index sparse",
        "hide an index",
    ]


@pytest.mark.parametrize(
    ("seqs", "text"), [([], ""), ([3], "3"), ([5, 4, 4, 7], "4..5, 7"), ([0, 1, 2], "0..2")], ids=str
)
def test_seqs_are_shown_as_ranges(seqs: list[int], text: str) -> None:
    assert ranges(seqs) == text
