"""Appends: events are noted in the ledger before they are sent, and receipts right after they came."""

import time
from collections.abc import Sequence
from typing import Any

import httpx2

from eventlog.formats.errors import EvidenceError
from eventlog.formats.event_json import check_receipt, parse_receipt
from tools.load.exchange import Exchange, Reply, Shared, WrongError
from tools.load.ledger import ReceiptFields
from tools.load.mix import Made

_TRIES = 6
_LONGEST_WAIT = 5.0
_ACKNOWLEDGED = (200, 201, 202)


class Appends:
    """A client that appends. Events with an id are sent until acknowledged or refused, those without only once."""

    def __init__(self, exchange: Exchange, shared: Shared) -> None:
        self._exchange = exchange
        self._shared = shared

    def single(self) -> None:
        """Append an event without an id, once: sent again, it might be stored twice."""
        self.once("POST /events", self._shared.mix.native())

    def own_id(self) -> None:
        """Append an event with an id."""
        self._until_acknowledged("POST /events, own id", self._shared.mix.native(own_id=True))

    def cloudevent(self) -> None:
        """Append a CloudEvent; the log makes its id from the event's source and id."""
        binary = self._shared.rng.random() < 0.5
        name = f"POST /events, CloudEvent ({'binary' if binary else 'structured'})"
        self._until_acknowledged(name, self._shared.mix.cloudevent(binary=binary))

    def queued(self) -> None:
        """Append an event through the queue, if the log has one."""
        if self._shared.has_queue:
            made = self._shared.mix.native(own_id=True)
            self._until_acknowledged("POST /events?async=true", made, {"async": "true"})

    def find_queue(self) -> None:
        """Find out whether the log has a queue: it accepts an event for it, or refuses."""
        self.once("POST /events?async=true", self._shared.mix.native(own_id=True), {"async": "true"})

    def replay(self) -> None:
        """Append an acknowledged event with an id again: the receipt must be the same."""
        found = self._shared.pick(lambda made: "event_id" in made.fields)
        if found is None:
            return
        made, receipt = found

        def check(shown: Any, answer: httpx2.Response) -> None:
            if shown != receipt or answer.headers.get("Idempotent-Replayed") != "true":
                raise WrongError("wrong: a replay got another receipt")

        # Not through the queue, which answers 202 to a known event too.
        params = {"async": "false"} if self._shared.has_queue else {}
        self._exchange.send(
            "POST", "POST /events, replay", "/events", check, params=params, content=made.body, headers=made.headers
        )

    def batch(self) -> None:
        """Append 10 to 50 events of one chain at once; one batch in four has ids."""
        # Sent once only, as most batches have events without ids, which a second attempt would store twice.
        rng, mix = self._shared.rng, self._shared.mix
        chain, own_id = mix.chain(), rng.random() < 0.25
        batch = [mix.native(chain, own_id=own_id) for _ in range(rng.randint(10, 50))]
        self._shared.ledger.send(chain, [made.mark for made in batch])
        content = b"\n".join(made.body for made in batch)
        headers = {"Content-Type": "application/x-ndjson"}

        def check(shown: Any, _: httpx2.Response) -> None:
            self._acknowledge(batch, shown["receipts"])

        self._note(
            batch,
            self._exchange.send(
                "POST", "POST /events/batch", "/events/batch", check, _ACKNOWLEDGED, content=content, headers=headers
            ),
        )

    def _until_acknowledged(self, name: str, made: Made, params: dict[str, str] | None = None) -> None:
        for number in range(_TRIES):
            if not self.once(name, made, params).again:
                return
            time.sleep(min(_LONGEST_WAIT, self._shared.rng.uniform(0.5, 1) * 2**number))

    def once(self, name: str, made: Made, params: dict[str, str] | None = None) -> Reply:
        """Send an event once, and note what came of it."""
        self._shared.ledger.send(made.chain, [made.mark])

        # 202: the queue has it, and the receipt comes later. Any other success has the receipt.
        def check(shown: Any, answer: httpx2.Response) -> None:
            if answer.status_code == 202:
                self._shared.ledger.accept(made.mark, shown["event_id"])
                self._shared.has_queue = True
            else:
                self._acknowledge([made], [shown])

        params = made.params | (params or {})
        outcome = self._exchange.send(
            "POST", name, "/events", check, _ACKNOWLEDGED, params=params, content=made.body, headers=made.headers
        )
        self._note([made], outcome)
        return outcome

    def _note(self, batch: Sequence[Made], outcome: Reply) -> None:
        """Note a refusal in the ledger."""
        if outcome.refused:
            self._shared.ledger.refuse([made.mark for made in batch])

    def _acknowledge(self, batch: Sequence[Made], receipts: Sequence[ReceiptFields]) -> None:
        pairs = list(zip(batch, receipts, strict=True))
        for made, receipt in pairs:
            _check(made, receipt)
        self._shared.ledger.acknowledge({made.mark: receipt for made, receipt in pairs})
        self._shared.events.extend(pairs)


def _check(made: Made, receipt: ReceiptFields) -> None:
    """Check a receipt by itself, and that it is of this event."""
    try:
        known = parse_receipt(receipt)
        check_receipt(known)
    except EvidenceError as error:
        raise WrongError("wrong: a receipt that is none") from error
    if known.chain != made.chain or known.event_id != made.fields.get("event_id", known.event_id):
        raise WrongError("wrong: the receipt of another event")
