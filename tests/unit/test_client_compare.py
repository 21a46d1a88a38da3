"""Comparing evidence: what one document alone can't show."""

import json
from pathlib import Path
from typing import Any

import pytest

from eventlog.formats import merkle
from eventlog.formats.errors import EvidenceError
from eventlog.formats.hashing import leaf_hash
from eventlog.formats.proof import heads, inclusion_ranges, needed
from eventlog_client import FileChangedError
from eventlog_client.answers import Consistency
from eventlog_client.compare import Comparison, compare
from eventlog_client.documents import Claim, read_claims
from eventlog_client.proofs import parse_proof
from tests.support.memory_log import ORIGIN, VKEY, MemoryLog, signed
from tests.unit.test_client_receipts import receipts


def compared(folder: Path, *documents: bytes, keys: bool = True) -> Comparison:
    claims: list[Claim] = []
    for number, document in enumerate(documents):
        path = folder / f"{number}.json"
        path.write_bytes(document)
        claims += read_claims(path, [VKEY] if keys else [])
    return compare(claims, None)


def proof_of(log: MemoryLog, index: int) -> dict[str, Any]:
    """An inclusion proof as the API shows it."""
    size = len(log.leaves)
    ranges = inclusion_ranges(index, size)
    hashes = heads(ranges, {node: subtree(log, node.level, node.index) for node in needed(ranges)})
    assert log.checkpoint is not None
    return {
        "chain": "main",
        "leaf_index": index,
        "tree_size": size,
        "leaf": log.leaves[index].hex(),
        "leaf_hash": leaf_hash(log.leaves[index]).hex(),
        "hashes": [value.hex() for value in hashes],
        "root": log.head.root.hex(),
        "checkpoint": log.checkpoint.decode(),
    }


def subtree(log: MemoryLog, level: int, index: int) -> bytes:
    frontier: list[bytes] = []
    for size, leaf in enumerate(log.leaves[index << level : (index + 1) << level]):
        merkle.append_leaf(frontier, size, leaf_hash(leaf))
    return merkle.root(frontier)


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_what_an_honest_log_said_goes_together(tmp_path: Path) -> None:
    log = MemoryLog().grow(7)
    proof = proof_of(log, 3)
    file = parse_proof(proof).tlog_proof()
    assert log.checkpoint is not None
    found = compared(tmp_path, text(proof), text(proof_of(log, 4)), file, log.checkpoint)
    assert (found.contradictions, found.open) == ([], [])


def test_two_signed_checkpoints_of_one_size_are_proof_by_themselves(tmp_path: Path) -> None:
    notes = [MemoryLog().grow(5, flavour).checkpoint or b"" for flavour in ("", "forged")]
    (words,) = compared(tmp_path, *notes).contradictions
    assert words.startswith(f"{ORIGIN}/main shows two roots for size 5: ")
    assert "proof of misconduct by itself" in words


def test_without_a_key_the_words_are_more_careful(tmp_path: Path) -> None:
    notes = [MemoryLog().grow(5, flavour).checkpoint or b"" for flavour in ("", "forged")]
    (words,) = compared(tmp_path, *notes, keys=False).contradictions
    assert "Their signatures were not checked" in words


def test_checkpoints_of_two_logs_don_t_contradict_each_other(tmp_path: Path) -> None:
    notes = [signed(5, bytes(32), f"{ORIGIN}/{chain}") for chain in ("main", "other")]
    found = compared(tmp_path, *notes, keys=False)
    assert (found.contradictions, found.open) == ([], [])


def test_a_forged_signature_is_no_evidence(tmp_path: Path) -> None:
    forged = signed(5, bytes(32), f"{ORIGIN}/main").replace(b"\n5\n", b"\n6\n")
    with pytest.raises(EvidenceError, match=r"0\.json: the signature of .* is not valid"):
        compared(tmp_path, forged)


def test_two_receipts_of_one_place_contradict_each_other_from_whatever_list(tmp_path: Path) -> None:
    honest, forged = receipts(3), receipts(1, flavour=1)
    found = compared(tmp_path, text({"receipts": honest}), text(forged[0] | {"event_id": "f"}))
    assert len(found.contradictions) == 1
    assert "seq 0 of chain main was given twice" in found.contradictions[0]
    assert "item 1" in found.contradictions[0]


def test_receipts_that_are_not_linked_contradict_each_other(tmp_path: Path) -> None:
    lines = b"\n".join([text(receipts(1)[0]), b"", text(receipts(2, flavour=1)[1])])
    (words,) = compared(tmp_path, lines).contradictions
    assert "line 1 and" in words
    assert "seq 1 of chain main is not linked to seq 0" in words


def test_a_receipt_and_a_proof_of_another_event_in_its_place_contradict_each_other(tmp_path: Path) -> None:
    found = compared(tmp_path, text(receipts(1)[0]), text(proof_of(MemoryLog().grow(3), 0)))
    assert "seq 0 of chain main was given twice" in found.contradictions[0]


def test_kept_evidence_of_a_monitor_can_be_compared(tmp_path: Path) -> None:
    notes = [(MemoryLog().grow(5, flavour).checkpoint or b"").decode() for flavour in ("", "forged")]
    assert len(compared(tmp_path, text({"finding": "two roots", "evidence": notes})).contradictions) == 1


def test_sizes_that_differ_stay_open_without_the_log(tmp_path: Path) -> None:
    found = compared(tmp_path, *(MemoryLog().grow(size).checkpoint or b"" for size in (3, 5)))
    assert found.contradictions == []
    assert "only the log can show that one extends the other" in found.open[0]


@pytest.mark.parametrize(("flavour", "contradictions"), [("", 0), ("forged", 1)])
def test_sizes_that_differ_are_decided_by_the_log_s_own_roots(
    tmp_path: Path, flavour: str, contradictions: int
) -> None:
    small, large = MemoryLog().grow(3), MemoryLog().grow(5, flavour)
    claims: list[Claim] = []
    for number, log in enumerate((small, large)):
        path = tmp_path / str(number)
        path.write_bytes(log.checkpoint or b"")
        claims += read_claims(path, [VKEY])

    def prove(chain: str, first: int, second: int) -> Consistency:
        assert (chain, first, second) == ("main", 3, 5)
        return Consistency(first, second, small.head.root, MemoryLog().grow(5).head.root, ())

    assert len(compare(claims, prove).contradictions) == contradictions


@pytest.mark.parametrize(
    "document",
    [
        b"{}",
        b"[1]",
        b'{"format":"eventlog-bundle/v1"}',
        text(receipts(1)[0] | {"hash": "0" * 64}),
        text(proof_of(MemoryLog().grow(3), 1) | {"root": "0" * 64}),
        text(proof_of(MemoryLog().grow(3), 1) | {"checkpoint": signed(3, bytes(32)).decode()}),
        b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + signed(1, bytes(32)),
    ],
)
def test_what_is_wrong_in_itself_is_told_with_its_file(tmp_path: Path, document: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"0\.json"):
        compared(tmp_path, document)


@pytest.mark.parametrize("document", [b"", b"nonsense", b"nonsense\n", b"{", text("nonsense")])
def test_what_is_no_document_accuses_nobody(tmp_path: Path, document: bytes) -> None:
    with pytest.raises(FileChangedError, match=r"0\.json"):
        compared(tmp_path, document)
