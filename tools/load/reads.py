"""Queries, look-ups, proofs and audits; each answer is compared with what the log acknowledged before."""

from typing import Any

import httpx2

from eventlog.formats import proof
from eventlog.formats.errors import EvidenceError
from tools.load.exchange import Exchange, Shared, WrongError
from tools.load.ledger import ReceiptFields
from tools.load.mix import TYPES

_AROUND = 100


class Reads:
    """A client that reads. Until something is acknowledged it has nothing to ask for."""

    def __init__(self, exchange: Exchange, shared: Shared) -> None:
        self._exchange = exchange
        self._shared = shared

    def look_up(self) -> None:
        """Get an event by its id; it must be there as soon as it is acknowledged."""
        if (receipt := self._receipt()) is None:
            return
        path = f"/events/{receipt['event_id']}"
        params = {"chain": receipt["chain"]}

        def check(shown: Any, _: httpx2.Response) -> None:
            _expect(shown, receipt)

        self._exchange.send("GET", "GET /events/{event_id}", path, check, params=params)

    def query(self) -> None:
        """Query the newest events of a type."""
        if (receipt := self._receipt()) is None:
            return
        event_type = self._shared.rng.choice(TYPES)
        params = {"chain": receipt["chain"], "event_type": event_type, "limit": self._shared.rng.choice((10, 100))}

        def check(shown: Any, _: httpx2.Response) -> None:
            if any(event["event_type"] != event_type for event in shown["events"]):
                raise WrongError("wrong: an event of another type")

        self._exchange.send("GET", "GET /events, by type", "/events", check, params=params)

    def query_by_seq(self) -> None:
        """Query the events up to an acknowledged one; none may be missing."""
        if (receipt := self._receipt()) is None:
            return
        start, end = max(0, receipt["seq"] + 1 - _AROUND), receipt["seq"] + 1
        params = {"chain": receipt["chain"], "sort": "seq", "from_seq": start, "to_seq": end}

        def check(shown: Any, _: httpx2.Response) -> None:
            if [event["seq"] for event in shown["events"]] != list(range(start, end)):
                raise WrongError("wrong: seqs are missing")
            _expect(shown["events"][-1], receipt)

        self._exchange.send("GET", "GET /events, by seq", "/events", check, params=params)

    def show_chain(self) -> None:
        """Show a chain's head, which must include everything acknowledged."""
        if (receipt := self._receipt()) is None:
            return

        def check(shown: Any, _: httpx2.Response) -> None:
            if shown["size"] <= receipt["seq"]:
                raise WrongError("wrong: a chain shorter than what it acknowledged")

        self._exchange.send("GET", "GET /chains/{chain}", f"/chains/{receipt['chain']}", check)

    def prove(self) -> None:
        """Have an event proven to be in the tree that it was the last leaf of."""
        if (receipt := self._receipt()) is None:
            return
        # The path must lead from the hash in the receipt, which the log gave before, to the root that it shows now.
        size = receipt["seq"] + 1
        params = {"chain": receipt["chain"], "size": size}

        def check(shown: Any, _: httpx2.Response) -> None:
            hashes, root = _hashes(shown["hashes"]), bytes.fromhex(shown["root"])
            try:
                proof.verify_inclusion(bytes.fromhex(receipt["hash"]), receipt["seq"], size, hashes, root)
            except EvidenceError as error:
                raise WrongError("wrong: a proof that proves nothing") from error

        path = f"/events/{receipt['event_id']}/proof"
        self._exchange.send("GET", "GET /events/{event_id}/proof", path, check, params=params)

    def prove_consistency(self) -> None:
        """Have it proven that the tree up to an event extends the tree of a random smaller size."""
        if (receipt := self._receipt()) is None:
            return
        # The roots are the log's own, so this finds a proof that is wrong, not a log that lies.
        second = receipt["seq"] + 1
        first = self._shared.rng.randint(1, second)
        params = {"first": first, "second": second}

        def check(shown: Any, _: httpx2.Response) -> None:
            first_root, second_root = _hashes([shown["first_root"], shown["second_root"]])
            try:
                proof.verify_consistency(first, second, _hashes(shown["hashes"]), first_root, second_root)
            except EvidenceError as error:
                raise WrongError("wrong: a proof that proves nothing") from error

        path = f"/chains/{receipt['chain']}/consistency"
        self._exchange.send("GET", "GET /chains/{chain}/consistency", path, check, params=params)

    def audit(self) -> None:
        """Audit a chain incrementally; it must find nothing."""
        if (receipt := self._receipt()) is None:
            return
        body = {"chain": receipt["chain"], "mode": "incremental"}

        def check(shown: Any, _: httpx2.Response) -> None:
            if shown["status"] not in {"intact", "running"}:
                raise WrongError(f"wrong: an audit says {shown['status']}")

        self._exchange.send("POST", "POST /audits", "/audits", check, (200, 202), json=body)

    def _receipt(self) -> ReceiptFields | None:
        found = self._shared.pick()
        return found[1] if found else None


def _hashes(shown: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in shown]


def _expect(event: Any, receipt: ReceiptFields) -> None:
    """Check that an event is shown as its receipt says."""
    if {name: event[name] for name in receipt} != receipt:
        raise WrongError("wrong: an event that is not as its receipt says")
