"""Remembers what the log has told this client, so that it can't tell something else later."""

import threading
from collections import OrderedDict
from collections.abc import Iterable

from eventlog.formats import hashing
from eventlog.formats.event_json import Receipt, contradiction
from eventlog.formats.note import VerifierKey
from eventlog_client.appends import receipt_fields
from eventlog_client.errors import LogMisbehavedError
from eventlog_client.keys import log_of

PER_CHAIN = 1000
CHAINS = 100


class _Chain:
    """The newest receipts of a chain, by place and by id."""

    def __init__(self) -> None:
        self.by_seq: OrderedDict[int, Receipt] = OrderedDict()
        self.by_id: dict[str, Receipt] = {}

    def neighbours(self, receipt: Receipt) -> list[Receipt]:
        """Return the known receipts that could contradict this one: at its seq, beside it, or with its id."""
        places = [self.by_seq.get(receipt.seq + step) for step in (-1, 0, 1)]
        return [known for known in (*places, self.by_id.get(receipt.event_id)) if known is not None]

    def keep(self, receipt: Receipt) -> None:
        self.by_seq[receipt.seq] = self.by_id[receipt.event_id] = receipt
        self.by_seq.move_to_end(receipt.seq)
        if len(self.by_seq) > PER_CHAIN:
            _, oldest = self.by_seq.popitem(last=False)
            self.by_id.pop(oldest.event_id, None)


class SeenReceipts:
    """Receipts seen, the newest thousand of each of the hundred chains used last. Threads may share it."""

    def __init__(self) -> None:
        self._chains: OrderedDict[str, _Chain] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, receipt: Receipt) -> tuple[str, Receipt] | None:
        """Keep a receipt; if it contradicts a known one, return why, and that one, and don't keep the new one."""
        with self._lock:
            chain = self._chains.setdefault(receipt.chain, _Chain())
            self._chains.move_to_end(receipt.chain)
            if len(self._chains) > CHAINS:
                self._chains.popitem(last=False)
            for known in chain.neighbours(receipt):
                if (why := contradiction(known, receipt)) is not None:
                    return why, known
            chain.keep(receipt)
        return None

    def check(self, receipt: Receipt, keys: Iterable[VerifierKey]) -> None:
        """Keep a receipt that contradicts no known one and, as a chain's first, none of the chain's pinned ``keys``.

        Raises:
            LogMisbehavedError: it does; the receipts are the evidence.
        """
        # The genesis hash has the log's and the chain's name in it, as has the name of each key.
        for key in keys if receipt.seq == 0 else ():
            if receipt.prev_hash != hashing.genesis(log_of(key.name), receipt.chain):
                raise LogMisbehavedError(f"the first event is not linked to {key.name}", [receipt_fields(receipt)])
        if found := self.add(receipt):
            why, known = found
            raise LogMisbehavedError(
                f"the log contradicts itself: {why}", [receipt_fields(known), receipt_fields(receipt)]
            )
