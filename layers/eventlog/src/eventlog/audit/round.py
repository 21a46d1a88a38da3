"""A round: one go of audits over every chain that there was when it began, in as many invocations as it takes.

Between invocations it is stored beside the reports, with a voucher (``vouchers.py``):

    {_id: "round/<mode>", round, mode, started_at, chains, tampered, left: [chain], begun: [chain], voucher, vouched_at}

What is put back, removed or made up there can only make less of the round count.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from uuid_utils.compat import uuid7

from eventlog.audit.report import AuditReport, Mode
from eventlog.audit.vouchers import Voucher, voucher_fields, voucher_in
from eventlog.formats.round import RoundNote
from eventlog.store.interface.audits import ROUND_IDS
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.fields import Fields, count, date

NAMES: dict[Mode, str] = {"full": ROUND_IDS[0], "incremental": ROUND_IDS[1]}
"""Under which id a round in a mode is stored."""
_UNSIGNED = {"voucher", "vouched_at"}


@dataclass(slots=True, kw_only=True)
class Round:
    """How far a round is. Chains that have been audited are in neither list."""

    round_id: str
    mode: Mode
    started_at: int
    """Milliseconds since 1970."""

    chains: int
    """How many chains there were when it began."""

    tampered: int = 0
    """In how many of them something was found."""

    left: list[str] = field(default_factory=list)
    """Those that are still to be audited, in this order."""

    begun: list[str] = field(default_factory=list)
    """Those whose audit ran out of time and is to be resumed."""

    def is_done(self) -> bool:
        """Whether every chain has been audited."""
        return not self.left and not self.begun

    def note(self, origin: str, now: int) -> RoundNote:
        """Say that the round is finished."""
        return RoundNote(
            origin=origin,
            round_id=self.round_id,
            mode=self.mode,
            started=self.started_at,
            finished=max(now, self.started_at),
            chains=self.chains,
            tampered=self.tampered,
        )

    def count(self, report: AuditReport) -> None:
        """Count one of the schedule's reports, on whatever chain and in whatever mode it is."""
        chain = report.chain
        if report.mode != self.mode or not (chain in self.left or chain in self.begun):
            return
        # A full audit that began before the round says nothing of how the chain was at any time since. An incremental
        # one goes on from the newest anchor, whenever it began.
        if self.mode == "full" and report.started_at < self.started_at:
            return
        self._take(chain)
        if report.status == "running":
            self.begun.append(chain)
        elif self.mode == "full" and report.incomplete_because is not None:
            self.left.append(chain)  # not all of it was checked: another audit has to
        else:
            self.tampered += report.status == "tampered"

    def skip(self, chain: str) -> None:
        """Count a chain that does not exist any more, and of which nothing says that it ever did."""
        self._take(chain)

    def leave(self, chains: Iterable[str]) -> None:
        """Have these chains audited anew, after all others."""
        for chain in sorted(chains):
            self._take(chain)
            self.left.append(chain)

    def join(self, other: "Round") -> None:
        """Take over what another process has done meanwhile for this very round."""
        if other.round_id == self.round_id:
            waiting = {*other.left, *other.begun}
            done = [chain for chain in (*self.left, *self.begun) if chain not in waiting]
            for chain in done:
                self._take(chain)
            self.tampered = max(self.tampered, other.tampered)

    def _take(self, chain: str) -> None:
        # As a rule it is the first one, or there is none: a round may have very many chains.
        for names in (self.left, self.begun):
            while chain in names:
                names.remove(chain)


def new_round(mode: Mode, chains: Iterable[str], now: int) -> Round:
    """Begin a round over these chains, in their order, at ``now`` milliseconds since 1970."""
    left = list(chains)
    return Round(round_id=str(uuid7()), mode=mode, started_at=now, chains=len(left), left=left)


def encode_round(found: Round, voucher: Voucher | None = None) -> bytes:
    """Write the document of a round."""
    document: dict[str, Any] = {
        "_id": NAMES[found.mode],
        "round": found.round_id,
        "mode": found.mode,
        "started_at": date(found.started_at),
        "chains": count(found.chains),
        "tampered": count(found.tampered),
        "left": found.left,
        "begun": found.begun,
    }
    return codec.encode(document | voucher_fields(voucher))


def read_round(raw: bytes, mode: Mode) -> tuple[Round, Voucher | None]:
    """Read a stored round and its voucher, which is not checked.

    Raises:
        NotOursError: it is not one that this version stores.
    """
    # Whether an audit has stored it, the voucher says; here it need only be of the right types. The mode stands twice,
    # in the id and as a field: both must be the one that was asked for, as all that follows goes by it.
    document = codec.decode(raw)
    fields = Fields(document)
    found = Round(
        round_id=fields.get("round", str),
        mode=mode,
        started_at=fields.date("started_at"),
        chains=fields.count("chains"),
        tampered=fields.count("tampered"),
        left=fields.items("left", str),
        begun=fields.items("begun", str),
    )
    if fields.get("mode", str) != mode:
        raise NotOursError("mode is another one")
    return found, voucher_in(document)


def round_message(raw: bytes, origin: str, time: int) -> bytes:
    """Build what is signed at ``time`` of a stored round of this log.

    Raises:
        NotOursError: it can't be decoded.
    """
    signed = {name: value for name, value in codec.decode(raw).items() if name not in _UNSIGNED}
    digest = sha256(codec.encode(signed)).hexdigest()
    return f"eventlog/audit-round/v1\nlog {origin}\ntime {time}\nround {digest}\n".encode()
