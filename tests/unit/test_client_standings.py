"""What the client makes of what a log says stands: the signed note is verified, and a lie about it is one."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from eventlog.formats.errors import EvidenceError
from eventlog.formats.standing import FullAudit, StandingFinding, StandingNote, sign_standing
from eventlog_client.errors import LogMisbehavedError, UnexpectedAnswerError
from eventlog_client.standings import of_chain, of_log
from eventlog_client.transport import Transport
from tests.support.anchoring import KEY, Key

ORIGIN = "example.com/log"
AUDIT = "019ab0f3-5c00-7000-8000-000000000001"
FINDING = {"kind": "missing", "seq": 7, "found_at": "2026-11-23T12:00:00.000Z", "audit_id": AUDIT}
NOTE = StandingNote(
    origin=ORIGIN,
    chain="main",
    time=20,
    full=FullAudit(AUDIT, "tampered", 10, 12, 9),
    total=1,
    findings=(StandingFinding("missing", 7, 12, AUDIT),),
)
STANDING = {
    "verdict": "tampered",
    "last_full_audit": {"finished_at": "2026-11-23T12:00:00.000Z"},
    "last_intact": None,
    "since": "2026-11-23T12:00:00.000Z",
    "findings": [FINDING],
    "findings_total": 1,
    "note": sign_standing(NOTE, [KEY]).decode(),
}


@dataclass
class Log:
    """Answers with these documents, one after the other."""

    answers: list[Any]

    def get(self, path: str, parameters: Any = None) -> "Log":
        self.asked = path, parameters
        return self

    def object(self) -> Any:
        return self.answers.pop(0)


def chain(key: Key = KEY, name: str = "main", **changed: Any) -> Any:
    answer = {"chain": "main", "standing": STANDING | changed}
    return of_chain(cast(Transport, Log([answer])), name, [key.verifier(ORIGIN, name)])


def test_what_stands_is_verified_by_a_pinned_key() -> None:
    found = chain()
    assert (found.verdict, found.findings_total, found.verified, found.since) == (
        "tampered",
        1,
        True,
        "2026-11-23T12:00:00.000Z",
    )
    assert not of_chain(
        cast(Transport, Log([{"chain": "main", "standing": STANDING | {"note": None}}])), "main", []
    ).verified
    # Of a chain that was never audited nothing is claimed.
    assert chain(verdict="not_audited", note=None, findings=[], findings_total=0, since=None).verdict == "not_audited"


def test_what_was_not_signed_or_is_not_what_was_signed_is_refused() -> None:
    with pytest.raises(EvidenceError):
        chain(Key(9))
    with pytest.raises(EvidenceError):
        chain(note=sign_standing(NOTE, []).decode())
    with pytest.raises(EvidenceError):
        chain(note=None)
    for changed in ({"verdict": "intact"}, {"findings_total": 2}):
        with pytest.raises(LogMisbehavedError, match="is not what was signed"):
            chain(**changed)
    with pytest.raises(LogMisbehavedError, match="got another"):
        chain(name="other")
    for malformed in (
        {"verdict": "fine"},
        {"findings": None},
        {"findings_total": -1},
        {"last_full_audit": 7},
        {"since": 7},
    ):
        with pytest.raises(UnexpectedAnswerError):
            chain(**malformed)


def test_what_stands_of_all_chains_is_read_page_after_page() -> None:
    counts = {"tampered": 2, "incomplete": 0, "not_audited": 1, "intact": 3}
    first, second = ({"chain": name, "standing": STANDING} for name in ("a", "b"))
    whole = {"verdict": "tampered", "chains": counts, "database": None}
    pages = [whole | {"tampered": [first], "next": "a"}, whole | {"tampered": [second], "next": None}]
    found = of_log(cast(Transport, Log(pages)))
    assert ([one.chain for one in found.tampered], found.chains, found.database) == (["a", "b"], counts, None)
    assert found.fields["tampered"] == [first, second]
    bad: list[object] = [
        [],
        whole,
        whole | {"tampered": [{"chain": "A"}], "next": None},
        whole | {"tampered": [], "next": 7},
        whole | {"tampered": [], "next": None, "chains": {}},
        whole | {"tampered": [], "next": None, "database": {}},
    ]
    for page in bad:
        with pytest.raises(UnexpectedAnswerError):
            of_log(cast(Transport, Log([page if isinstance(page, dict) else {}])))
    with pytest.raises(UnexpectedAnswerError, match="go on where it says"):
        of_log(cast(Transport, Log([whole | {"tampered": [], "next": "a"}] * 2)))
