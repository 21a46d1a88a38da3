"""What many chains get in one round is in few objects, and all that was found when each had its own is found there."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from bson import Int64
from starlette.testclient import TestClient

from eventlog.anchors import packed
from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.keys import claim_key, note_key
from eventlog.anchors.packed import FROM_HERE, PackedAnchors, PackPosition
from eventlog.anchors.packs import FOLDER
from eventlog.anchors.store import AnchorStore
from eventlog.anchors.walk import AnchorReader
from eventlog.audit import going_round, heads
from eventlog.chain_names import REGISTRY
from eventlog.formats.pack import format_pack, parse_pack
from eventlog.http.audits import run_scheduled
from eventlog.http.wired import wiring_of
from eventlog.settings import Settings
from eventlog.store.errors import AnchorsUnavailableError
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored.heads import read_heads
from eventlog.wiring.audit import AuditWiring
from local.server import build_app
from tests.support.access import EVENT
from tests.support.anchored import ORIGIN, AnchoredLog, kinds
from tests.support.auditors import Countdown, DiedError, Recorder, check_anchors, claim, dying_auditor, put
from tests.support.factories import draft

pytestmark = pytest.mark.parametrize("log", [True], indirect=True, ids=[""])
CHAINS = [f"c{number:02}" for number in range(40)]
FEW = CHAINS[:10]


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round of so few chains is one of many, and looks at no idle one."""
    monkeypatch.setattr(going_round, "MANY", 4)
    monkeypatch.setattr(heads, "LOOKED_AT", 0)


@pytest.fixture
def recorder(log: AnchoredLog) -> Recorder:
    recorder = Recorder(log.signers[0])
    log.signers = [recorder]
    return recorder


def grow(log: AnchoredLog, chains: list[str]) -> None:
    for chain in chains:
        log.store.append(chain, [draft(chain=chain, received_at=log.now())])


def pack(log: AnchoredLog, number: int) -> dict[tuple[str, str], bytes]:
    return dict(parse_pack(log.packs.read(FOLDER, f"{number:012}") or b"").entries)


def packs(log: AnchoredLog) -> int:
    """How many there are."""
    return len(list(log.packs.keys(FOLDER)))


def path_of(log: AnchoredLog, number: int) -> Path:
    return log.folder / "anchors" / "_packs" / FOLDER / f"{number:012}"


def statuses(log: AnchoredLog, mode: str = "full") -> set[str]:
    return {report.status for report in log.audit_all(mode).values()}


def test_a_round_creates_as_many_objects_for_forty_chains_as_for_ten(
    log: AnchoredLog, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    created, create = Counter[str](), DirectoryAnchors.create

    def counting(self: DirectoryAnchors, chain: str, key: str, data: bytes) -> bool:
        created["pack" if chain == FOLDER else chain if chain.startswith("eventlog.") else "chain"] += 1
        return create(self, chain, key, data)

    grow(log, CHAINS)
    log.audit_all()
    assert list(log.audit_all()) == [REGISTRY]
    monkeypatch.setattr(DirectoryAnchors, "create", counting)
    costs = []
    for grown in (FEW, CHAINS):
        grow(log, grown)
        created.clear()
        found = log.audit_all()
        assert list(found) == [*grown, REGISTRY]
        assert {report.status for report in found.values()} == {"intact"}
        assert {report.unanchored_events for report in found.values()} == {0}
        costs.append(dict(created))
    # The first one is audited alone, then all others at once: their claims are one pack, and their anchors another. The
    # registry has a claim and an anchor of its own.
    assert costs == [{"pack": 4, REGISTRY: 2}] * 2
    last = packs(log)
    assert [len(pack(log, number)) for number in range(last - 3, last + 1)] == [1, 1, 39, 39]
    assert {chain: len(check_anchors(log, chain)) for chain in CHAINS} == {c: 3 if c in FEW else 2 for c in CHAINS}
    assert statuses(log) == {"intact"}
    recorder.check()


def test_from_its_next_anchor_on_a_chain_is_packed_and_stays_so(log: AnchoredLog, recorder: Recorder) -> None:
    where = list[bool]()
    for packing in (False, False, True, True, False, False):
        log.packing = packing
        log.append(2)
        log.append(3, "other")
        assert statuses(log, "incremental") == {"intact"}
        names = [note_key(number + 1) for number in range(len(where) + 1)]
        where = [log.anchors.pack_of("main", name) is not None for name in names]
        assert log.files() == names
        assert check_anchors(log) == [2 * (number + 1) for number in range(len(names))]
        assert statuses(log) == {"intact"}
    assert where == [False, False, True, True, True, True]
    assert [key for key in log.objects.keys("main") if log.objects.read("main", key) == FROM_HERE] == [
        "000000000003.claim"
    ]
    recorder.check()


def test_a_new_chain_is_packed_only_where_that_is_set(log: AnchoredLog) -> None:
    grow(log, ["a"])
    log.audit_all()
    log.packing = False
    grow(log, ["b"])
    log.audit_all()
    assert [log.anchors.pack_of(chain, note_key(1)) for chain in ("a", "b", REGISTRY)] == [2, None, None]
    assert statuses(log) == {"intact"}


def dies_at(log: AnchoredLog, countdown: Countdown) -> bool:
    auditor = dying_auditor(log, countdown)
    try:
        auditor.run(auditor.start("main", "incremental"), 60)
    except DiedError:
        return True
    return False


@pytest.mark.parametrize("before", [[], [False], [True]], ids=["first", "second", "packed"])
def test_wherever_an_auditor_dies_another_goes_on(
    store: MongoStore, log: AnchoredLog, recorder: Recorder, before: list[bool]
) -> None:
    """Before its first anchor, at the one from which it is packed, and at later ones. Each time in a log of its own."""
    step, died, folder = 0, True, log.folder
    while died:
        step += 1
        for name in ("events", "sequences", "checkpoints", "audits", "heads"):
            getattr(operations_of(store), name).delete_many({})
        log = AnchoredLog(store, folder / f"step-{step}", [Recorder(recorder.signer)], packing=True)
        log.append(5)
        for packing in before:
            log.packing = packing
            assert log.audit().status == "intact"
            log.append(4)
        log.packing = True
        died = dies_at(log, Countdown(step))
        log.append(3)
        assert statuses(log, "incremental") == {"intact"}
        assert check_anchors(log)[-1] == 8 + 4 * len(before)
        assert statuses(log) == {"intact"}
        log.signers[0].check()  # type: ignore[attr-defined]
    assert step > 20


@pytest.mark.parametrize("error", [AnchorsUnavailableError("gone"), DiedError()], ids=["answer", "process"])
def test_a_pack_whose_answer_is_lost_is_there_and_is_gone_on_with(
    log: AnchoredLog, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The claims, then the anchors, of all chains of a round."""
    create = DirectoryAnchors.create
    for lost in (3, 4):  # the first two are of the chain that is audited alone
        grow(log, FEW)
        left = [lost]

        def lose(self: DirectoryAnchors, chain: str, key: str, data: bytes, left: list[int] = left) -> bool:
            left[0] -= chain == FOLDER
            done = create(self, chain, key, data)
            if chain == FOLDER and left[0] == 0:
                raise error
            return done

        with monkeypatch.context() as patch:
            patch.setattr(DirectoryAnchors, "create", lose)
            for report in log.audit_all().values():
                assert (report.status, report.findings) in {("intact", ()), ("incomplete", ())}
        assert left[0] <= 0
        grow(log, FEW)
        assert statuses(log, "incremental") == {"intact"}
        for chain in FEW:
            check_anchors(log, chain)
        assert statuses(log) == {"intact"}
    recorder.check()


def test_rounds_at_once_anchor_one_history_of_each_chain(log: AnchoredLog, recorder: Recorder) -> None:
    for _ in range(3):
        grow(log, FEW)
        with ThreadPoolExecutor(4) as threads:
            reports = list(threads.map(lambda _: log.audit_all(), range(4)))
        found = [report for each in reports for report in each.values()]
        assert {(report.status, report.findings) for report in found} <= {("intact", ()), ("incomplete", ())}
    assert statuses(log, "incremental") == {"intact"}
    for chain in FEW:
        assert check_anchors(log, chain)[-1] == 3
    assert statuses(log) == {"intact"}
    recorder.check()


def test_an_audit_that_others_have_overtaken_finds_its_place_taken(log: AnchoredLog, recorder: Recorder) -> None:
    """Another process anchors twice and commits, and this one reads that list, between its last look and its claim."""
    log.append(3)
    log.audit_all()
    auditor = log.auditor()
    auditor.heads.load()
    run = auditor.start("main", "incremental")
    anchoring = auditor.heads._anchoring
    assert anchoring is not None
    standing = anchoring.history.standing("main", ["example.com/log"])
    for _ in range(2):
        log.append(1)
        assert statuses(log, "incremental") == {"intact"}
    auditor.heads.load()  # of this very process, by another thread: it forgets what is in older packs
    assert anchoring.packed is not None
    key = "000000000002.claim"
    with pytest.raises(AnchorsUnavailableError, match="too long ago"):
        anchoring.packed.create("main", key, b"another claim\n")
    assert (standing.last, auditor.run(run, 60).findings) == (1, ())
    assert check_anchors(log) == [3, 4, 5]
    recorder.check()


Rows = dict[str, list[dict[str, Any]]]
STORED = ("events", "sequences", "checkpoints", "heads")


def rows(log: AnchoredLog) -> Rows:
    return {name: list(getattr(operations_of(log.store), name).find()) for name in STORED}


def put_back(log: AnchoredLog, earlier: Rows, chain: str | None = None) -> None:
    """The database, or one chain in it, as it was earlier."""
    for name, found in earlier.items():
        if chain is None or name != "heads":
            of = {} if chain is None else {"_id" if name == "sequences" else "chain": chain}
            held = getattr(operations_of(log.store), name)
            held.delete_many(of)
            held.insert_many([row for row in found if of.items() <= row.items()])


def remove(log: AnchoredLog, number: int) -> None:
    path_of(log, number).unlink()


def write(log: AnchoredLog, number: int, entries: dict[tuple[str, str], bytes]) -> None:
    path_of(log, number).unlink(missing_ok=True)
    path_of(log, number).write_bytes(format_pack(number, entries))


def alter_copy(log: AnchoredLog, number: int, **change: Any) -> None:
    found = operations_of(log.store).checkpoints.update_one({"chain": "b", "number": number}, change)
    assert found.modified_count == 1


def remove_newest_pack(log: AnchoredLog, _: Rows) -> None:
    remove(log, 12)


def remove_older_pack(log: AnchoredLog, _: Rows) -> None:
    remove(log, 8)


def spoil_older_pack(log: AnchoredLog, _: Rows) -> None:
    path_of(log, 8).chmod(0o644)
    path_of(log, 8).write_bytes(b"x" + path_of(log, 8).read_bytes())


def rename_pack(log: AnchoredLog, _: Rows) -> None:
    path_of(log, 8).unlink()
    path_of(log, 4).rename(path_of(log, 8))


def alter_older_anchor(log: AnchoredLog, _: Rows) -> None:
    found = pack(log, 8)
    found["b", note_key(2)] = found["b", note_key(2)].replace(b"\n2\n", b"\n3\n")
    write(log, 8, found)


def put_an_older_anchor_in_the_place_of_a_newer(log: AnchoredLog, _: Rows) -> None:
    write(log, 12, pack(log, 12) | {("b", note_key(3)): pack(log, 8)["b", note_key(2)]})


def make_up_an_anchor(log: AnchoredLog, _: Rows) -> None:
    write(log, 13, {("b", note_key(4)): pack(log, 12)["b", note_key(3)]})


def put_chain_back(log: AnchoredLog, earlier: Rows) -> None:
    put_back(log, earlier, "b")


def put_chain_back_and_remove_the_list(log: AnchoredLog, earlier: Rows) -> None:
    put_back(log, earlier, "b")
    operations_of(log.store).heads.delete_many({})


def put_database_back(log: AnchoredLog, earlier: Rows) -> None:
    put_back(log, earlier)


def remove_copy(log: AnchoredLog, _: Rows) -> None:
    operations_of(log.store).checkpoints.delete_one({"chain": "b", "number": 2})


def name_no_pack(log: AnchoredLog, _: Rows) -> None:
    alter_copy(log, 2, **{"$unset": {"pack": ""}})


def name_no_pack_in_the_newest_copy(log: AnchoredLog, _: Rows) -> None:
    alter_copy(log, 3, **{"$unset": {"pack": ""}})


def name_another_pack(log: AnchoredLog, _: Rows) -> None:
    alter_copy(log, 2, **{"$set": {"pack": Int64(4)}})


def name_a_pack_that_is_none(log: AnchoredLog, _: Rows) -> None:
    alter_copy(log, 3, **{"$set": {"pack": Int64(10**9)}})


def remove_chain(log: AnchoredLog, _: Rows) -> None:
    for name in ("events", "sequences", "checkpoints"):
        of = {"_id" if name == "sequences" else "chain": "b"}
        getattr(operations_of(log.store), name).delete_many(of)


def remove_chain_and_its_objects(log: AnchoredLog, earlier: Rows) -> None:
    remove_chain(log, earlier)
    for path in (log.folder / "anchors" / "b").iterdir():
        path.unlink()


def remove_chain_and_the_list(log: AnchoredLog, earlier: Rows) -> None:
    remove_chain_and_its_objects(log, earlier)
    operations_of(log.store).heads.delete_many({})


def put_an_object_with_an_odd_name(log: AnchoredLog, _: Rows) -> None:
    log.objects.create("b", "9.note", b"x")


def put_a_pack_far_ahead(log: AnchoredLog, _: Rows) -> None:
    log.packs.create(FOLDER, "999999999999", format_pack(999999999999, {("zz", "000000000001.claim"): b""}))
    log.packs.create(FOLDER, "9" * 40, b"")


def put_a_pack_with_an_odd_key(log: AnchoredLog, _: Rows) -> None:
    data = format_pack(13, {("zz", "000000000001.claim"): b""})
    log.packs.create(FOLDER, f"{13:012}", data.replace(b"000000000001.claim", b"1.claim"))


MISSING, INVALID = "checkpoint_missing", "checkpoint_invalid"
ATTACKS: list[tuple[Callable[[AnchoredLog, Rows], None], dict[str, set[str]], bool]] = [
    (remove_newest_pack, {"b": {MISSING}, "c": {MISSING}}, True),
    (remove_older_pack, {"b": {MISSING}, "c": {MISSING}}, False),
    (spoil_older_pack, {"b": {MISSING}, "c": {MISSING}, REGISTRY: {INVALID}}, False),
    (rename_pack, {"b": {MISSING}, "c": {MISSING}, REGISTRY: {INVALID}}, False),
    (alter_older_anchor, {"b": {INVALID}}, False),
    (put_an_older_anchor_in_the_place_of_a_newer, {"b": {INVALID}}, True),
    (make_up_an_anchor, {"b": {INVALID}}, True),
    (put_an_object_with_an_odd_name, {"b": {INVALID}}, True),
    (put_a_pack_far_ahead, {REGISTRY: {INVALID}}, True),
    (put_a_pack_with_an_odd_key, {REGISTRY: {INVALID}}, True),
    (put_chain_back, {"b": {"truncated"}}, True),
    (put_chain_back_and_remove_the_list, {"b": {"truncated"}}, True),
    (put_database_back, {"a": {"truncated"}, "b": {"truncated"}, "c": {"truncated"}, REGISTRY: {"truncated"}}, True),
    (remove_copy, {"b": {MISSING}}, False),
    (name_no_pack, {"b": {INVALID}}, False),
    (name_no_pack_in_the_newest_copy, {"b": {INVALID}}, True),
    (name_another_pack, {"b": {INVALID}}, False),
    (name_a_pack_that_is_none, {"b": {INVALID}}, True),
    (remove_chain, {"b": {"truncated"}}, True),
    (remove_chain_and_its_objects, {"b": {"truncated"}}, True),
    (remove_chain_and_the_list, {"b": {"truncated"}}, True),
]
"""What somebody does who can write everywhere, what a full audit finds then, and whether an incremental one does."""


@pytest.fixture
def earlier(log: AnchoredLog, monkeypatch: pytest.MonkeyPatch) -> Rows:
    """Three chains with three anchors each, in 12 packs; what the database was when they had one."""
    monkeypatch.setattr(heads, "LOOKED_AT", 32)
    monkeypatch.setattr(going_round, "MANY", 2)
    first: Rows = {}
    for _ in range(3):
        grow(log, ["a", "b", "c"])
        assert statuses(log, "incremental") == {"intact"}
        first = first or rows(log)
    assert packs(log) == 12
    return first


@pytest.mark.parametrize(("attack", "expected", "at_once"), ATTACKS, ids=lambda given: getattr(given, "__name__", ""))
def test_whatever_is_done_to_packs_and_copies_is_found(
    log: AnchoredLog,
    earlier: Rows,
    attack: Callable[[AnchoredLog, Rows], None],
    expected: dict[str, set[str]],
    at_once: bool,
) -> None:
    attack(log, earlier)
    for mode in ("incremental", "incremental", "full") if at_once else ("full", "full"):  # and it stays so
        reports = log.audit_all(mode)
        found = {chain: {kind for kind, _ in kinds(report)} for chain, report in reports.items() if report.findings}
        assert {chain: kinds_ & expected.get(chain, set()) for chain, kinds_ in found.items()} == expected, found
        assert {report.status for chain, report in reports.items() if chain in expected} == {"tampered"}
    if "a" not in expected:  # and no other chain is kept from its anchor
        grow(log, ["a"])
        assert log.audit_all()["a"].unanchored_events == 0


def test_an_honest_log_is_intact_and_no_round_reads_older_packs(
    log: AnchoredLog, earlier: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert earlier
    read, seen = DirectoryAnchors.read, list[str]()

    def reading(self: DirectoryAnchors, chain: str, key: str) -> bytes | None:
        if chain == FOLDER:
            seen.append(key)
        return read(self, chain, key)

    monkeypatch.setattr(DirectoryAnchors, "read", reading)
    for number in range(4):
        grow(log, ["a", "b", "c"])
        seen.clear()
        assert statuses(log, "incremental") == {"intact"}
        # Of each chain the newest anchor, which is in one of the last four.
        assert {int(key) for key in seen} == {10 + 4 * number, 12 + 4 * number}
    raw = operations_of(log.store).heads.find_one()
    assert raw is not None
    known = read_heads(raw)
    assert (known.packs, known.open_packs) == (28, ())


def test_a_log_that_was_restored_goes_on_in_packs(log: AnchoredLog, recorder: Recorder, earlier: Rows) -> None:
    """The backup has neither the last copies nor a list of heads that knows the last packs."""
    put_back(log, earlier)
    for chain in ("a", "b", "c", REGISTRY):
        report = log.restore(chain=chain)
        assert (report.status, report.findings) == ("intact", ())
    for _ in range(2):
        grow(log, ["a", "b", "c"])
        assert statuses(log, "incremental") == {"intact"}
    assert statuses(log) == {"intact"}
    for chain in ("a", "b", "c"):
        *names, declared = log.files(chain)
        assert declared == "restore-0002.note"
        assert names == [note_key(number + 1) for number in range(len(names))]
        assert None not in {log.anchors.pack_of(chain, name) for name in names}
        assert len(names) >= 5
    recorder.check()


def test_a_claim_that_a_restore_has_overtaken_is_in_nobodys_way(
    log: AnchoredLog, recorder: Recorder, earlier: Rows
) -> None:
    """An auditor that died has left it in a pack, then a backup was restored. The next anchor has its own claim."""
    log.append(1, "b")
    assert log.objects.read("b", "000000000001.claim") == FROM_HERE
    (dead,) = [data for place, data in pack(log, 11).items() if place == ("b", "000000000003.claim")]
    put(log, "000000000004.claim", dead.replace(b"number 3", b"number 4"), "b")
    put_back(log, earlier)
    for chain in ("a", "b", "c", REGISTRY):
        assert log.restore(chain=chain).status == "intact"
    grow(log, ["a", "b", "c"])
    assert statuses(log, "incremental") == {"intact"}
    assert statuses(log) == {"intact"}
    assert sum(("b", "000000000004-2.claim") in pack(log, number + 1) for number in range(packs(log))) == 1
    recorder.check()


def test_the_functions_pack_what_the_setting_says_and_serve_the_same_evidence(
    log: AnchoredLog, mongo_uri: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds of the schedule, then audits that somebody asks for, which read the list of heads by themselves."""
    monkeypatch.setattr(going_round, "MANY", 2)
    place = log.folder / "anchors"
    settings = Settings(
        mongo_uri=mongo_uri,
        mongo_database=database,
        origin=ORIGIN,
        anchors=str(place),
        signing_keys=str(log.folder / "key"),
        anchor_packs=True,
    )
    app = build_app(settings)
    with closing(app.state.connection), TestClient(app, base_url="http://127.0.0.1:8000") as api:
        for number in range(2):
            for chain in ("a", "b", "c"):
                body = EVENT | {"chain": chain}
                assert api.post("/api/v1/events", json=body).status_code == 201
            answer = run_scheduled(wiring_of(app, AuditWiring), "incremental")
            assert {report["status"] for report in answer["audits"]} == {"intact"}, number
        assert api.post("/api/v1/audits", json={"chain": "b", "mode": "full"}).json()["status"] == "intact"
        note = api.get("/api/v1/chains/b/checkpoint").content
        assert note == pack(log, 8)["b", note_key(2)]
        assert api.get("/api/v1/chains/b/head").json()["number"] == 2
        assert sorted(path.name for path in (place / "b").iterdir()) == ["000000000001.claim"]
        remove(log, 8)
        assert api.post("/api/v1/audits", json={"chain": "b", "mode": "full"}).json()["status"] == "tampered"


class Hooked:
    """A store that does something else, once, before a creation."""

    def __init__(self, inside: AnchorStore, suffix: str, does: Callable[[], None]) -> None:
        self._inside, self._suffix, self._does = inside, suffix, [does]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inside, name)

    def create(self, chain: str, key: str, data: bytes) -> bool:
        if key.endswith(self._suffix) and self._does:
            self._does.pop()()
        return self._inside.create(chain, key, data)


def die() -> None:
    raise DiedError


def test_a_claim_in_a_pack_counts_only_where_the_chain_is_packed(log: AnchoredLog, recorder: Recorder) -> None:
    """An auditor has claimed, signed and died. Somebody who may only create puts another true claim into a pack."""
    log.packing = False
    log.append(3)
    log.audit()
    log.append(1)
    auditor = log.auditor(cast(AnchorStore, Hooked(log.objects, "2.note", die)))
    with pytest.raises(DiedError):
        auditor.run(auditor.start("main", "incremental"), 60)
    other = {("main", "000000000002.claim"): claim(log)}  # of another time
    log.packs.create(FOLDER, f"{1:012}", format_pack(1, other))
    for packing in (False, True):
        log.packing = packing
        assert log.audit().status == "intact"
    assert check_anchors(log) == [3, 4]
    recorder.check()


def test_a_pack_out_of_turn_lets_no_two_auditors_claim_one_number(log: AnchoredLog, recorder: Recorder) -> None:
    """Somebody puts a pack far ahead, and another process anchors, while this one is about to create its own."""
    log.append(3)
    log.audit()
    log.append(1)

    def meanwhile() -> None:
        log.packs.create(FOLDER, f"{100:012}", format_pack(100, {("zz", "000000000001.claim"): b""}))
        log.append(1)
        assert log.audit().status == "intact"

    packs = cast(AnchorStore, Hooked(log.packs, "", meanwhile))
    auditor = log.auditor(log.kept(packs=packs))
    report = auditor.run(auditor.start("main", "incremental"), 60)
    assert (report.status, report.findings) == ("intact", ())
    assert check_anchors(log) == [3, 5]
    recorder.check()


def test_a_claim_of_another_line_is_where_the_first_to_make_it_has_put_it(log: AnchoredLog) -> None:
    """After a restore, of two processes of which one packs and has begun to with the claim from before it."""
    packs = log.kept()
    log.packing = False
    alone = log.kept()
    assert packs.create("x", "000000000001.claim", b"1")
    assert alone.create("x", "000000000001-2.claim", b"2")
    assert not packs.create("x", "000000000001-2.claim", b"3")
    assert [kept.read("x", "000000000001-2.claim") for kept in (packs, alone)] == [b"2", b"2"]
    assert [kept.read("x", "000000000001.claim") for kept in (packs, log.kept())] == [b"1", b"1"]


def test_a_pack_that_a_list_of_the_directory_leaves_out_is_there_all_the_same(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch, earlier: Rows
) -> None:
    """An entry that was added while a directory is read may be shown, and one that was added before it not."""
    assert earlier
    keys = DirectoryAnchors.keys

    def some(self: DirectoryAnchors, chain: str, after: str = "") -> Iterator[str]:
        return (key for key in keys(self, chain, after) if chain != FOLDER or int(key) in {2, 7, 12})

    kept = log.kept()
    assert isinstance(kept, PackedAnchors)
    with monkeypatch.context() as patch:
        patch.setattr(DirectoryAnchors, "keys", some)
        kept.begin(PackPosition())
        assert (kept._packs.newest, list(kept.findings())) == (12, [])
        assert len(kept._packs.of("b")) == 6
    assert statuses(log) == {"intact"}


def test_a_claim_that_was_long_open_is_not_forgotten_by_an_auditor_at_work(
    log: AnchoredLog, recorder: Recorder
) -> None:
    """It is finished and committed to by another process, and this one begins anew, just before it claims that too."""
    log.append(3)
    log.audit_all()
    log.append(1)
    left = log.kept(packs=cast(AnchorStore, Hooked(log.packs, f"{4:012}", die)))
    auditor = log.auditor(left)
    with pytest.raises(DiedError):
        auditor.run(auditor.start("main", "incremental"), 60)
    late = log.kept()
    assert isinstance(late, PackedAnchors)
    auditor = log.auditor(late)
    auditor.heads.load()
    assert list(late.keys("main", note_key(1))) == ["000000000002.claim"]
    for _ in range(2):
        assert statuses(log, "incremental") == {"intact"}
    auditor.heads.load()
    with pytest.raises(AnchorsUnavailableError, match="too long ago"):
        late.create("main", "000000000002.claim", b"another")
    with pytest.raises(AnchorsUnavailableError, match="too long ago"):
        late.create("main", "000000000002.note", b"another")
    assert check_anchors(log) == [3, 4]
    assert statuses(log) == {"intact"}
    recorder.check()


@pytest.mark.usefixtures("earlier")
def test_a_list_that_goes_back_leaves_nothing_unknown(log: AnchoredLog) -> None:
    """The slower of two commits, or a backup: a process that knows more goes on with all that it knows, and more."""
    kept = log.kept()
    assert isinstance(kept, PackedAnchors)
    list(kept.keys("b"))
    later = dict(kept._packs.of("b"))
    kept.begin(PackPosition())
    assert kept._packs.of("b").items() >= later.items()
    assert set(kept._packs.of("b")) == {f"{n:012}.{kind}" for n in (1, 2, 3) for kind in ("claim", "note")}
    kept.begin(PackPosition(8))
    assert set(kept._packs.of("b")) == {"000000000003.claim", "000000000003.note"}


@pytest.mark.parametrize("on_demand", [False, True], ids=["committed", "not committed"])
def test_a_chain_that_alone_is_that_of_a_backup_is_restored(
    log: AnchoredLog, recorder: Recorder, earlier: Rows, on_demand: bool
) -> None:
    """The list of heads knows of anchors of which there are no copies; and the last one it may not know."""
    if on_demand:
        log.append(1, "b")
        assert log.audit(chain="b").status == "intact"
    for _ in range(2):
        put_back(log, earlier, "b")
        assert log.audit_all()["b"].status == "tampered"
        report = log.restore(chain="b")
        assert (report.status, report.findings) == ("intact", ())
        grow(log, ["a", "b", "c"])
        assert statuses(log, "incremental") == {"intact"}
    assert statuses(log) == {"intact"}
    recorder.check()


def test_copies_that_are_lacking_are_made_whatever_was_forgotten_meanwhile(log: AnchoredLog, earlier: Rows) -> None:
    put_back(log, earlier, "b")
    auditor = log.auditor()
    auditor.heads.load()
    anchoring = auditor.heads._anchoring
    assert anchoring is not None
    standing = anchoring.history.standing("b", [ORIGIN])
    auditor.heads.load()
    anchoring.keep_copies("b", standing)
    assert [copy.number for copy in CheckpointStore(log.store).scan("b")] == [1, 2, 3]


def test_packs_that_can_not_be_read_push_no_open_claim_out_of_the_list(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins with a list that names no more packs still finds what was claimed in the one before them."""
    monkeypatch.setattr(packed, "_LEFT_OPEN", 3)
    copies, listed = CheckpointStore(log.store), PackPosition()

    def process() -> PackedAnchors:
        return PackedAnchors(log.objects, log.packs, copies, lambda: listed, packing=True, wait_seconds=60)

    key = claim_key(1, 1)
    first = process()
    assert list(first.keys("main")) == []
    assert first.create("main", key, b"of the first\n")
    for number in range(4):
        assert log.packs.create(FOLDER, f"{packs(log) + 1:012}", b"garbage %d" % number)
    listed = process().position({})
    assert key in process().keys("main")
    assert not process().create("main", key, b"of the second\n")
    assert process().read("main", key) == b"of the first\n"


def test_a_list_of_heads_that_is_read_anew_while_an_audit_looks_accuses_nobody(
    log: AnchoredLog, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another audit in the same process; it knows of an anchor that was made since this one had looked."""
    log.append(5)
    log.audit_all()
    log.append(2)
    anchors, restores, begun = log.kept(), AnchorReader.restores, list[int]()
    assert isinstance(anchors, PackedAnchors)
    auditor = log.auditor(anchors)

    def overtaken(self: AnchorReader, *listed: Any) -> Any:
        if not begun:
            begun.append(1)
            for _ in range(2):  # it is the list of the second round that names the anchor of the first
                log.audit_all()
            anchors.begin_anew()
            assert anchors.committed("main") == 2
        return restores(self, *listed)

    monkeypatch.setattr(AnchorReader, "restores", overtaken)
    report = auditor.run(auditor.start("main", "incremental"), 60)
    assert (begun, report.findings) == ([1], ())
    assert statuses(log) == {"intact"}
    recorder.check()
