"""Idle chains cost a round nothing of their own, and what is done to one among many is found in the next round."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.registry import REGISTRY, Registry
from eventlog.audit import heads
from eventlog.formats.anchor import verify_anchor
from eventlog.formats.heads import ANCHORED, HeadLeaf, HeadTree, read_commitment
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo.heads import HeadRows
from eventlog.store.mongo.store import operations_of
from eventlog.stored import codec
from eventlog.stored.heads import encode_heads, read_heads
from tests.integration.test_restore import back_up, put_back
from tests.support.anchored import HOUR, AnchoredLog, kinds, new_key
from tests.support.each import each

CHAINS = ("a", "b", "c")


@pytest.fixture(autouse=True)
def _none_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a log with so many chains that none of these is looked at in its turn."""
    monkeypatch.setattr(heads, "LOOKED_AT", 0)


@pytest.fixture
def quiet(log: AnchoredLog) -> AnchoredLog:
    """Three chains, audited, anchored and committed to."""
    for chain in CHAINS:
        log.append(3, chain)
    log.audit_all()
    assert list(log.audit_all()) == [REGISTRY]
    return log


def commitments(log: AnchoredLog) -> list[tuple[int, bytes]]:
    """How many heads, and under which root, the registry commits to, in order."""
    found = operations_of(log.store).raw_events.find({"chain": REGISTRY, "event_type": ANCHORED}, sort=[("seq", 1)])
    read = [read_commitment(codec.decode_event(bytes(row.raw)).entry)[0] for row in found]
    return [(each.count, each.root) for each in read]


def root_of(log: AnchoredLog) -> bytes:
    """The root over the newest anchors as they lie outside the database."""
    files = {chain: log.files(chain) for chain in log.anchors.chains() if not chain.startswith("eventlog.")}
    newest = [(chain, len(names), log.anchors.read(chain, names[-1]) or b"") for chain, names in files.items()]
    return HeadTree(HeadLeaf(chain, number, sha256(data).digest()) for chain, number, data in newest).root


def test_only_what_has_grown_is_audited_and_all_heads_are_committed_to(quiet: AnchoredLog) -> None:
    assert commitments(quiet) == [(3, root_of(quiet))]
    quiet.append(1, "b")
    quiet.append(1, "new")
    assert list(quiet.audit_all()) == ["b", "new", REGISTRY]
    assert commitments(quiet)[1:] == [(4, root_of(quiet))]
    newest = verify_anchor(
        quiet.anchors.read(REGISTRY, quiet.files(REGISTRY)[-1]) or b"", [quiet.signers[0].public_key]
    )
    registry = quiet.store.chain(REGISTRY)
    assert registry is not None
    assert newest.checkpoint.size == registry.state.size == 4 + 2, "the commitment is anchored at once"
    assert list(quiet.audit_all()) == [REGISTRY]
    assert len(commitments(quiet)) == 2


def test_silence_is_said_for_all_at_once(quiet: AnchoredLog) -> None:
    quiet.ahead = HOUR
    assert list(quiet.audit_all()) == [REGISTRY]
    assert commitments(quiet) == [(3, root_of(quiet))] * 2
    assert {len(quiet.files(chain)) for chain in CHAINS} == {1}
    assert set(quiet.audit_all("full")) == {*CHAINS, REGISTRY}
    assert {len(quiet.files(chain)) for chain in CHAINS} == {1}, "the registry has said it"


Attack = Callable[[AnchoredLog, str], object]


def cut(log: AnchoredLog, chain: str) -> None:
    """The last event is gone, and the sequence document says so."""
    operations_of(log.store).events.delete_many({"chain": chain, "seq": {"$gte": 2}})
    operations_of(log.store).sequences.update_one({"_id": chain}, {"$inc": {"size": -1, "settled.size": -1}})


def remove(log: AnchoredLog, chain: str) -> None:
    operations = operations_of(log.store)
    operations.sequences.delete_one({"_id": chain})
    for held in (operations.events, operations.checkpoints, operations.audits):
        held.delete_many({"chain": chain})


def remove_with_anchors(log: AnchoredLog, chain: str) -> None:
    remove(log, chain)
    for path in (log.folder / "anchors" / chain).iterdir():
        path.unlink()


def rename(log: AnchoredLog, chain: str) -> None:
    operations = operations_of(log.store)
    for held in (operations.events, operations.checkpoints, operations.audits):
        held.update_many({"chain": chain}, {"$set": {"chain": "other"}})
    found = operations.sequences.find_one_and_delete({"_id": chain}) or {}
    operations.sequences.insert_one(found | {"_id": "other"})


def field(name: str, value: object) -> Attack:
    return lambda log, chain: operations_of(log.store).sequences.update_one({"_id": chain}, {"$set": {name: value}})


ATTACKS: dict[str, tuple[Attack, str]] = {
    "cut": (cut, "truncated"),
    "removed": (remove, "truncated"),
    "removed-with-anchors": (remove_with_anchors, "checkpoint_missing"),
    "renamed": (rename, "truncated"),
    "rolled-back": (lambda log, chain: put_back(log, OLD.pop(), chain), "truncated"),
    "emptied": (lambda log, chain: operations_of(log.store).events.delete_many({"chain": chain}), "missing"),
    "other-origin": (field("origin", "example.com/other"), "sequence_mismatch"),
    "other-hash": (field("settled.hash", bytes(32)), "sequence_mismatch"),
    "a-field-more": (field("x", 1), "sequence_mismatch"),
}
"""By the chain's name: what is done to it, and what must be found."""
OLD: list[dict[str, Any]] = []


@pytest.mark.replica_set  # a chain is renamed, which is a shard key
def test_what_is_done_to_one_among_many_idle_ones_is_found_in_the_next_round(log: AnchoredLog) -> None:
    for chain in [*ATTACKS, *CHAINS]:
        log.append(3, chain)
    log.audit_all()
    OLD.append(back_up(log, "rolled-back"))
    log.append(2, "rolled-back")
    log.audit_all()
    assert list(log.audit_all()) == [REGISTRY]
    for chain, (attack, _) in ATTACKS.items():
        attack(log, chain)
    found = log.audit_all()
    assert set(found) == {*ATTACKS, "other", REGISTRY}
    first = {chain: [kind for kind, _ in kinds(found[chain])] for chain in ATTACKS}
    assert {chain: kind for chain, (_, kind) in ATTACKS.items() if kind not in first[chain]} == {}, first
    assert found[REGISTRY].status == "intact"
    assert {chain for chain in log.audit_all() if chain in CHAINS} == set(), (
        "what is found makes no other chain suspect"
    )


def drop_event(log: AnchoredLog) -> None:
    operations_of(log.store).events.delete_many({"chain": REGISTRY, "event_type": ANCHORED})


def forge_event(log: AnchoredLog) -> None:
    payload = {"count": 0, "root": "0" * 64, "signature": "0" * 128, "time": log.now()}
    Registry(log.store, log.now).write(REGISTRY, f"eventlog.anchored-{log.now():015}", ANCHORED, payload)


@pytest.mark.parametrize(
    ("attack", "kind", "full"), [(drop_event, "missing", "missing"), (forge_event, *["checkpoint_invalid"] * 2)]
)
def test_a_commitment_that_is_dropped_or_forged_is_found(
    quiet: AnchoredLog, attack: Callable[[AnchoredLog], None], kind: str, full: str
) -> None:
    attack(quiet)
    found = quiet.audit_all()
    assert kind in dict(kinds(found[REGISTRY]))
    assert {report.chain for report in found.values() if report.findings_total} == {REGISTRY}
    assert full in dict(kinds(quiet.audit_all("full")[REGISTRY]))


def test_an_older_list_that_is_put_back_hides_nothing(quiet: AnchoredLog) -> None:
    """Who also puts back the list that was right for the older state of a chain has every chain audited."""
    rows = HeadRows(quiet.store)
    old, saved = rows.get() or b"", back_up(quiet, "b")
    quiet.append(2, "b")
    quiet.audit_all()
    put_back(quiet, saved, "b")
    rows.save(old)
    found = quiet.audit_all()
    assert set(found) == {*CHAINS, REGISTRY}
    assert kinds(found["b"])[0][0] == "truncated"


LISTS: dict[str, Callable[[bytes], bytes]] = {
    "another number": lambda raw: _edited(raw, numbers=[9, 9, 9]),
    "another sequence document": lambda raw: _edited(raw, sequences=bytes(96)),
    "a chain fewer": lambda raw: _edited(raw, chains="a\nb"),
    "no voucher": lambda raw: _edited(raw, voucher=None),
    "another event": lambda raw: _edited(raw, event_id="x"),
    "junk": lambda _: codec.encode({"_id": "newest"}),
}


def _edited(raw: bytes, **fields: Any) -> bytes:
    document = codec.decode(raw) | fields
    document["numbers"] = [codec.decode(raw)["numbers"][0].__class__(number) for number in document["numbers"]]
    return codec.encode(document)


@each("name", LISTS)
def test_a_list_that_nobody_has_signed_only_makes_more_work(quiet: AnchoredLog, name: str) -> None:
    rows = HeadRows(quiet.store)
    rows.save(LISTS[name](rows.get() or b""))
    found = quiet.audit_all()
    assert {chain: report.status for chain, report in found.items()} == dict.fromkeys([*CHAINS, REGISTRY], "intact")
    assert list(quiet.audit_all()) == [REGISTRY]
    assert commitments(quiet)[-1] == (3, root_of(quiet))


@pytest.mark.parametrize("step", range(4))
def test_wherever_a_round_dies_the_next_one_commits_and_accuses_nobody(
    quiet: AnchoredLog, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Before the list is stored, after it, after the event, and before the registry's anchor is there."""
    quiet.append(1, "b")
    save, write = HeadRows.save, Registry.write

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    def died_after(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> None:
            work(*given)
            if work is save or given[3] == ANCHORED:
                raise KeyboardInterrupt

        return run

    places: list[tuple[type, str, Any]] = [
        (HeadRows, "save", die),
        (HeadRows, "save", died_after(save)),
        (Registry, "write", died_after(write)),
        (Anchoring, "advance", _only_others(Anchoring.advance)),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(*places[step])
        with pytest.raises(KeyboardInterrupt):
            quiet.audit_all()
    found = quiet.audit_all()
    assert {report.status for report in found.values()} == {"intact"}
    assert commitments(quiet)[-1] == (3, root_of(quiet))
    assert list(quiet.audit_all()) == [REGISTRY]
    assert {report.status for report in quiet.audit_all("full").values()} == {"intact"}


def _only_others(advance: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: Anchoring, head: Any, *given: Any) -> Any:
        if head.chain == REGISTRY:
            raise KeyboardInterrupt
        return advance(self, head, *given)

    return run


def test_what_can_not_be_read_is_not_forgotten(quiet: AnchoredLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: HeadRows) -> bytes | None:
        raise StoreUnavailableError("gone")

    quiet.append(1, "b")
    before = commitments(quiet)
    with monkeypatch.context() as patch:
        patch.setattr(HeadRows, "get", fail)
        found = quiet.audit_all()
    assert {report.status for report in found.values()} == {"intact"}
    assert (set(found), commitments(quiet)) == ({*CHAINS, REGISTRY}, before)
    quiet.audit_all()
    assert commitments(quiet)[-1] == (3, root_of(quiet))


def test_each_chain_announces_another_key_and_gets_an_anchor_of_it(quiet: AnchoredLog) -> None:
    quiet.signers = [new_key(quiet.folder / "new"), *quiet.signers]
    assert set(quiet.audit_all()) == {*CHAINS, REGISTRY}
    assert {len(quiet.files(chain)) for chain in CHAINS} == {2}
    assert list(quiet.audit_all()) == [REGISTRY]
    assert commitments(quiet)[-1] == (3, root_of(quiet))


def test_a_round_without_time_commits_to_what_it_has_anchored(quiet: AnchoredLog) -> None:
    quiet.append(1, "b")
    quiet.append(1, "c")
    reports = list(quiet.auditor().each("incremental", 0))
    assert [report.chain for report in reports] == ["b", REGISTRY]
    assert commitments(quiet)[-1] == (3, root_of(quiet))
    assert "c" in {report.chain for report in quiet.auditor().each("incremental", 0)}


def test_the_first_commitment_leaves_out_no_chain(log: AnchoredLog) -> None:
    """However many invocations the first round takes, each in a process of its own."""
    for chain in CHAINS:
        log.append(3, chain)
    seen = [report.chain for _ in range(4) for report in log.auditor().each("incremental", 0)]
    assert seen[:3] == list(CHAINS)
    assert commitments(log) == [(3, root_of(log))]


def test_a_number_never_goes_back(quiet: AnchoredLog) -> None:
    rows = HeadRows(quiet.store)
    late = quiet.auditor()
    late.heads.load()
    late.run(late.start("b", "incremental"), 60)
    quiet.append(1, "b")
    quiet.audit_all()
    late.heads.load()
    assert late.heads.commit(finished=True) is False
    known = read_heads(codec.decode(rows.get() or b""))
    assert known.heads["b"].number == 2
    assert encode_heads(replace(known), {}) == encode_heads(known, {})


def cost_of_a_round(log: AnchoredLog, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many commands a round gives the database, and how often it reads and creates anchors."""
    calls, database = Counter[str](), operations_of(log.store).events.database
    with monkeypatch.context() as patch:
        for name in ("read", "create"):
            patch.setattr(DirectoryAnchors, name, counted(calls, name, getattr(DirectoryAnchors, name)))
        database.command("profile", 2)
        assert list(log.audit_all()) == [REGISTRY]
        database.command("profile", 0)
    ours = {"ns": {"$ne": f"{database.name}.system.profile"}}
    calls["commands"] = database["system.profile"].count_documents(ours)
    database.drop_collection("system.profile")
    return calls


def counted(calls: Counter[str], name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    def run(*given: Any) -> Any:
        calls[name] += 1
        return work(*given)

    return run


def test_an_idle_chain_costs_no_command_and_no_object(quiet: AnchoredLog, monkeypatch: pytest.MonkeyPatch) -> None:
    few = cost_of_a_round(quiet, monkeypatch)
    for number in range(9):
        quiet.append(2, f"more-{number}")
    quiet.audit_all()
    cost_of_a_round(quiet, monkeypatch)  # the registry has been read to its end
    assert cost_of_a_round(quiet, monkeypatch) == few
    assert (few["create"], few["commands"] < 60) == (0, True)


def test_idle_chains_are_looked_at_in_turn(quiet: AnchoredLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "LOOKED_AT", 2)
    seen: set[str] = set()
    for _ in range(3):
        found = set(quiet.audit_all()) - {REGISTRY}
        assert len(found) == 2
        seen |= found
        quiet.ahead += 60_000
    assert seen == set(CHAINS)
