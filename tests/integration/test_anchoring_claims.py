"""What somebody has claimed for the next anchor is finished if it is true, and else refused: nothing is signed."""

import pytest

from eventlog.store.mongo.tree import TreeReader
from tests.support.anchored import ORIGIN, AnchoredLog, kinds
from tests.support.auditors import anchors, check_anchors, claim, put, signed

pytestmark = pytest.mark.parametrize("log", [False, True], indirect=True, ids=["alone", "packed"])


def test_a_claim_that_a_dead_auditor_left_is_finished_as_it_is(grown: AnchoredLog) -> None:
    put(grown, "000000000002.claim", left := claim(grown))
    grown.append(3)
    assert grown.audit().status == "intact"
    assert signed(grown)[1] == left
    assert check_anchors(grown) == [5, 9, 12]
    assert grown.audit("full").status == "intact"


@pytest.mark.parametrize("time", [1, 2**42])
def test_a_claim_that_a_wrong_clock_has_dated_is_finished_with_the_time_it_is(grown: AnchoredLog, time: int) -> None:
    put(grown, "000000000002.claim", claim(grown, time=time))
    assert grown.audit().status == "intact"
    assert check_anchors(grown) == [5, 9]
    assert abs(anchors(grown)[1].seal.time - grown.now()) < 60_000
    assert grown.audit("full").status == "intact"


FALSE_CLAIMS: list[tuple[str, dict[str, object]]] = [
    ("rewritten", {"root": bytes(32)}),
    ("rewritten", {"size": 7}),
    ("rewritten", {"size": 5, "root": bytes(32)}),
    ("checkpoint_invalid", {"size": 0}),
    ("checkpoint_invalid", {"size": 4, "root": bytes(32)}),
    ("checkpoint_invalid", {"size": 10}),
    ("checkpoint_invalid", {"size": 2**62}),
    ("checkpoint_invalid", {"origin": f"{ORIGIN}/other"}),
    ("checkpoint_invalid", {"origin": f"{ORIGIN}/main~2"}),
    ("checkpoint_invalid", {"number": 3}),
    ("checkpoint_invalid", {"previous": bytes(32)}),
]


@pytest.mark.parametrize(("kind", "changed"), FALSE_CLAIMS, ids=str)
@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_a_claim_that_is_not_true_is_a_finding_and_nothing_is_signed(
    grown: AnchoredLog, kind: str, changed: dict[str, object], mode: str
) -> None:
    put(grown, "000000000002.claim", claim(grown, **changed))
    report = grown.audit(mode)
    assert ([found[0] for found in kinds(report)], report.status) == ([kind], "tampered")
    assert signed(grown) == []
    assert check_anchors(grown) == [5]


@pytest.mark.parametrize(
    "changed", [changed for _, changed in FALSE_CLAIMS if "size" in changed or "root" in changed], ids=str
)
def test_an_operator_may_declare_that_the_chain_goes_on_beside_a_false_claim(
    grown: AnchoredLog, changed: dict[str, object]
) -> None:
    put(grown, "000000000002.claim", claim(grown, **changed))
    assert grown.restore("a claim that nobody here has made").status == "intact"
    note = grown.anchors.read("main", "000000000002.note") or b""
    assert note.startswith(f"{ORIGIN}/main~2\n".encode())
    assert grown.audit("full").status == "intact"


@pytest.mark.parametrize("data", [b"", b"garbage", b"\xff" * 200, b"x" * 3_000_000], ids=lambda data: str(len(data)))
def test_a_claim_that_is_garbage_is_a_finding_and_nothing_is_signed(grown: AnchoredLog, data: bytes) -> None:
    # What no entry of a pack can be makes the whole pack unreadable (test_packs.py).
    put(grown, "000000000002.claim", data[:200] + b"\n" if grown.packing else data)
    assert grown.found("incremental") == [("checkpoint_invalid", None)]
    assert signed(grown) == []


def test_a_claim_of_an_earlier_head_though_its_root_is_true_is_a_finding(grown: AnchoredLog) -> None:
    earlier = TreeReader(grown.store).root("main", 4)
    put(grown, "000000000002.claim", claim(grown, size=4, root=earlier))
    assert grown.found("incremental") == [("checkpoint_invalid", None)]
    assert signed(grown) == []


def test_a_claim_with_a_size_of_more_digits_than_it_needs_is_a_finding(grown: AnchoredLog) -> None:
    put(grown, "000000000002.claim", claim(grown).replace(b"\n9\n", b"\n09\n"))
    assert grown.found("incremental") == [("checkpoint_invalid", None)]
    assert signed(grown) == []


def test_a_claim_of_a_later_head_is_left_to_whoever_has_seen_it(grown: AnchoredLog) -> None:
    auditor = grown.auditor()
    early = auditor.start("main", "full")
    grown.append(2)
    put(grown, "000000000002.claim", claim(grown))
    assert auditor.run(early, 60).status == "intact"
    assert check_anchors(grown) == [5]
    assert grown.audit().status == "intact"
    assert check_anchors(grown) == [5, 11]


def test_a_note_of_another_key_in_the_next_place_is_a_finding(grown: AnchoredLog) -> None:
    put(grown, "000000000002.note", anchors(grown)[0].data)
    assert {kind for kind, _ in grown.found("incremental")} == {"checkpoint_invalid"}
    assert grown.found("full") == [("checkpoint_invalid", None)]
    assert signed(grown) == []
