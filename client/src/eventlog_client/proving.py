"""``ProvingLog``: what can be held against the log, asked for and checked: events, checkpoints, proofs, standings."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2

from eventlog.formats.event import Event
from eventlog.formats.event_json import Receipt, receipt_of
from eventlog.formats.head_proof import ProvenHead
from eventlog.formats.members import parse_json
from eventlog_client import evidence, standings
from eventlog_client.answers import Consistency, SignedCheckpoint
from eventlog_client.appends import DEFAULT_CHAIN
from eventlog_client.arguments import OneOrMore, name, number
from eventlog_client.errors import LogMisbehavedError, RefusedError
from eventlog_client.keys import keys_of, pinned
from eventlog_client.memory import SeenReceipts
from eventlog_client.proofs import Proof
from eventlog_client.standings import ChainStanding, LogStanding
from eventlog_client.transport import Transport


class ProvingLog:
    """One log over HTTP, and what was seen of it: each answer must verify, and agree with those before it.

    Its arguments are those of ``EventLog``.
    """

    def __init__(
        self,
        url: str,
        *,
        key: OneOrMore = None,
        token: str | None = None,
        timeout: float = 60.0,
        retries: int = 5,
        verify: bool = True,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # ``transport`` and ``sleep`` are for tests; the keys are parsed first, so that a bad one opens no connection.
        self.keys = pinned(key)
        self.transport = Transport(url, token=token, timeout=timeout, retries=retries, inner=transport, sleep=sleep)
        self._sleep = sleep
        self._verify = verify
        self._seen = SeenReceipts()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def get(self, event_id: str, chain: str = DEFAULT_CHAIN) -> Event:
        """Return one event; it can be found as soon as it is acknowledged."""
        path = f"/events/{quote(name(event_id, 'event_id'), safe='')}"
        body = self.transport.get(path, {"chain": name(chain, "chain")}).body
        event = self._event(body)
        if (event.entry.event_id, event.entry.chain) != (event_id, chain):
            raise LogMisbehavedError(
                f"asked for event {event_id} of chain {chain}, and got another", [parse_json(body)]
            )
        return event

    def standing(self) -> LogStanding:
        """Return what audits have found of all chains and still stands, until a later full audit is clean."""
        return standings.of_log(self.transport)

    def chain_standing(self, chain: str = DEFAULT_CHAIN) -> ChainStanding:
        """Return what stands of a chain; if a key of it is pinned, the note that says so must be signed by it.

        Raises:
            EvidenceError: it is not.
        """
        return standings.of_chain(self.transport, chain, keys_of(self.keys, chain))

    def checkpoint(self, chain: str = DEFAULT_CHAIN, size: int | None = None) -> SignedCheckpoint:
        """Return the newest signed checkpoint, or the one of a size; verified if a key of the chain is pinned."""
        data = self.transport.get(f"{self._at(chain)}/checkpoint", {"size": number(size, "size")}).body
        return evidence.checkpoint(data, keys_of(self.keys, chain), size)

    def consistency(self, first: int, second: int, chain: str = DEFAULT_CHAIN) -> Consistency:
        """Return a proof that the tree of size ``second`` extends that of size ``first``."""
        path = f"{self._at(chain)}/consistency"
        return evidence.consistency(
            self.transport.get(path, {"first": number(first, "first"), "second": number(second, "second")}).object(),
            first,
            second,
        )

    def head(self, chain: str = DEFAULT_CHAIN) -> tuple[dict[str, Any], ProvenHead]:
        """Return the proof that a chain's head is one that the log shows everybody, and what it shows.

        Raises:
            KeyNeededError: no key of the chain is pinned.
            LogMisbehavedError: it does not verify.
        """
        evidence.need_keys(keys_of(self.keys, name(chain, "chain")), chain)
        return evidence.head(self.transport.get(f"{self._at(chain)}/head", {}).object(), chain, self.keys)

    def proof(self, event: str | Receipt | Event, chain: str = DEFAULT_CHAIN, size: int | None = None) -> Proof:
        """Return an inclusion proof of an event, which is given by its id and chain, or by its receipt.

        What can be checked is checked: the path, the leaf if there is a receipt, the checkpoint if a key is pinned.
        """
        known = receipt_of(event) if isinstance(event, Event) else event
        event_id, chain = (known.event_id, known.chain) if isinstance(known, Receipt) else (known, chain)
        path = f"/events/{quote(name(event_id, 'event'), safe='')}/proof"
        answer = self.transport.get(path, {"chain": name(chain, "chain"), "size": number(size, "size")})
        receipt = known if isinstance(known, Receipt) else None
        return evidence.proof(answer.object(), chain, receipt, keys_of(self.keys, chain))

    def prove(self, receipt: Receipt | Event, wait: float = 0.0) -> Proof:
        """Exchange a receipt, which is only the log's word, for a proof against a checkpoint signed by a pinned key.

        ``wait`` is how many seconds to wait for a checkpoint that covers it.

        Raises:
            KeyNeededError: no key of the chain is pinned.
        """
        # If the log has no proof (404), it may be too early for a checkpoint, or the log may deny the event. The second
        # would be misconduct, so the event itself is asked for.
        known = receipt_of(receipt) if isinstance(receipt, Event) else receipt
        evidence.need_keys(keys_of(self.keys, known.chain), known.chain)
        self._remember(known)
        try:
            return evidence.await_proof(lambda: self.proof(known), wait, self._sleep)
        except RefusedError as error:
            if error.status == 404:
                evidence.check_not_denied(self.get, known)
            raise

    def tlog(self, chain: str, path: str) -> bytes:
        """Return a resource of the chain's C2SP tlog-tiles interface, byte for byte."""
        return self.transport.get(f"{self._at(chain)}/tlog/{path}").body

    @staticmethod
    def _at(chain: str) -> str:
        return f"/chains/{quote(name(chain, 'chain'), safe='')}"

    def _event(self, body: bytes) -> Event:
        return evidence.event(body, self._remember if self._verify else None)

    def _remember(self, receipt: Receipt) -> None:
        self._seen.check(receipt, keys_of(self.keys, receipt.chain))
