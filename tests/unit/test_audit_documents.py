"""Reports and running audits are stored byte for byte as the version before stored them, and read as it did."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bson import DatetimeMS, Int64

from eventlog.audit.report import SkewSummary, damaged_report
from eventlog.audit.report_documents import encode_report, read_report
from eventlog.audit.run_documents import encode_run, read_run, voucher_message
from eventlog.audit.vouchers import Voucher
from eventlog.http.audit_fields import audit_fields
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.sequences import decode_settled

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "stored_reports.json").read_text())["documents"]
STORED = {vector["name"]: bytes.fromhex(vector["stored"]) for vector in VECTORS}
RUNNING = [name for name in STORED if name.startswith("running")]
DONE = [name for name in STORED if name not in RUNNING]
LATE = ("checked_root", "anchored_size", "anchored_at", "unanchored_events", "incomplete_because", "skew")


def changed(name: str, **fields: Any) -> bytes:
    """A stored document with other fields; those that are Ellipsis are gone."""
    document = codec.decode(STORED[name]) | fields
    return codec.encode({field: value for field, value in document.items() if value is not ...})


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_stored_report_is_shown_as_before(vector: dict[str, Any]) -> None:
    shown = audit_fields(read_report(bytes.fromhex(vector["stored"])))
    assert (shown.pop("earlier_events"), shown.pop("rehashed_since")) == (0, None), "it re-hashed every event itself"
    assert (shown.pop("erased"), shown.pop("erasures_pending")) == (0, 0)
    assert json.dumps(shown) == json.dumps(vector["shown"] | {"witnessed_size": None, "witnesses": []})


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_what_is_signed_has_the_hash_that_it_had_before_and_the_time(vector: dict[str, Any]) -> None:
    head, digest = vector["signed"].splitlines()
    assert head == "eventlog/audit/v1"
    message = voucher_message(bytes.fromhex(vector["stored"]), 1_700_000_000_000)
    assert message.decode() == f"eventlog/audit/v2\ntime 1700000000000\n{digest}\n"


@pytest.mark.parametrize("name", RUNNING)
def test_a_stored_run_is_written_again_as_it_was(name: str) -> None:
    run, unsigned = read_run(STORED[name]), changed(name, voucher=...)
    assert run.voucher is None, "a voucher without a time counts as none"
    assert encode_run(run) == unsigned
    assert run.report == read_report(STORED[name])
    run.voucher = Voucher(1_700_000_000_000, bytes(64))
    assert read_run(encode_run(run)) == run
    assert voucher_message(encode_run(run), 0) == voucher_message(unsigned, 0)


@pytest.mark.parametrize("name", DONE)
def test_a_stored_report_is_written_again_as_it_was(name: str) -> None:
    document = codec.decode(STORED[name])
    verified = decode_settled(document["verified"]) if "verified" in document else None
    assert encode_report(read_report(STORED[name]), int(document["lease"]), verified) == STORED[name]


@pytest.mark.parametrize("name", RUNNING)
def test_a_run_that_lacks_a_field_is_not_ours(name: str) -> None:
    for field in codec.decode(STORED[name]).keys() - {"voucher"}:
        with pytest.raises(NotOursError, match=f"^{field} is missing$") as caught:
            read_run(changed(name, **{field: ...}))
        assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("name", RUNNING)
def test_a_run_with_a_field_of_another_type_is_not_ours(name: str) -> None:
    for field in codec.decode(STORED[name]):
        for value in (7.5, [7], {"seven": 7}):
            if field != "findings" or value != [7]:
                with pytest.raises(NotOursError):
                    read_run(changed(name, **{field: value}))


@pytest.mark.parametrize("name", DONE)
def test_a_report_of_before_there_were_anchors_is_shown(name: str) -> None:
    nothing: dict[str, Any] = dict.fromkeys(LATE[:-1])
    expected = replace(read_report(STORED[name]), **nothing, skew=SkewSummary())
    assert read_report(changed(name, **dict.fromkeys(LATE, ...))) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"chain": 7},
        {"mode": "half"},
        {"status": "fine"},
        {"from_seq": ...},
        {"to_seq": "x"},
        {"events_checked": True},
        {"skew": {"events": Int64(1)}},
        {"started_at": DatetimeMS(2**60)},
        {"anchored_at": DatetimeMS(-1)},
        {"findings": b"x"},
        {"findings": ["x"]},
        {"findings": [{"kind": "odd", "seq": None, "expected": None, "actual": None, "detail": ""}]},
        {"findings_total": 1.0},
    ],
    ids=str,
)
def test_a_damaged_report_says_so(fields: dict[str, Any]) -> None:
    raw, document = changed("tampered", **fields), codec.decode(STORED["tampered"]) | fields
    assert read_report(raw) == damaged_report(document["_id"], str(document["chain"]))


def test_a_report_whose_text_is_no_utf_8_says_so() -> None:
    raw = STORED["tampered"].replace(b"content_mismatch", b"content_mismatc\xff")
    assert read_report(raw) == damaged_report(codec.decode(STORED["tampered"])["_id"], "main")
    assert read_report(b"no document") == damaged_report("None", "None")
