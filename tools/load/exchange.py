"""One client's requests to the log; each answer is judged and reported, with what was wrong with it."""

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx2
import orjson

from eventlog_client.addresses import direct
from tools.load.ledger import Ledger, ReceiptFields
from tools.load.mix import Made, Mix

TIMEOUT = 30.0
"""Seconds; API Gateway waits no longer for a function."""
NO_ANSWER = "no answer"
TOLERATED = {NO_ANSWER, "503 with Retry-After", "429 with Retry-After"}
"""What a client must be able to handle. Everything else fails the run."""

OnAnswer = Callable[[str, str, float, int, str | None], None]
"""Called after each request: method, name, milliseconds, bytes of the answer, and what was wrong with it or None."""

Check = Callable[[Any, httpx2.Response], None]
"""Checks an answer's JSON value; raises WrongError."""


class WrongError(Exception):
    """An answer is wrong; the text names the kind of mistake."""


@dataclass
class Shared:
    """What all clients of a run share; ``events`` are acknowledged ones with their receipts."""

    ledger: Ledger
    mix: Mix
    rng: Random
    events: deque[tuple[Made, ReceiptFields]] = field(default_factory=lambda: deque(maxlen=2000))
    has_queue: bool = False

    def pick(self, wanted: Callable[[Made], bool] = lambda _: True) -> tuple[Made, ReceiptFields] | None:
        """Return a random event that is wanted, or None if 20 tries find none."""
        for _ in range(20):
            if self.events and wanted((found := self.rng.choice(self.events))[0]):
                return found
        return None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer's status, 0 without an answer, and what was wrong with it, None if nothing was."""

    status: int
    wrong: str | None

    @property
    def refused(self) -> bool:
        """The log said that it did nothing."""
        return 400 <= self.status < 500

    @property
    def again(self) -> bool:
        """The log may answer otherwise another time."""
        return self.status in {0, 429} or self.status >= 500


class Exchange:
    """Sends requests below /api/v1."""

    def __init__(self, url: str, token: str | None, report: OnAnswer) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        base = f"{url.rstrip('/')}/api/v1"
        self._http = httpx2.Client(base_url=base, headers=headers, timeout=TIMEOUT, transport=direct(base))
        self._report = report

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self, method: str, name: str, path: str, check: Check, expected: Collection[int] = (200,), **request: Any
    ) -> Reply:
        """Send a request once. An answer is wrong if its status is not expected or the check fails."""
        # In four ways it can go wrong: no answer, an unexpected status, a check that fails, and an answer that can't be
        # read. All are reported; only the first has no status.
        started, status, size, wrong = time.perf_counter(), 0, 0, None
        try:
            answer = self._http.request(method, path, **request)
            millis, status, size = (time.perf_counter() - started) * 1000, answer.status_code, len(answer.content)
            if status not in expected:
                raise WrongError(refusal(status, answer.headers))
            check(orjson.loads(answer.content), answer)
        except httpx2.TransportError:
            millis, wrong = (time.perf_counter() - started) * 1000, NO_ANSWER
        except WrongError as error:
            wrong = str(error)
        except (ValueError, LookupError, TypeError) as error:
            wrong = f"wrong: an answer that can't be read ({type(error).__name__})"
        self._report(method, name, millis, size, wrong)
        return Reply(status, wrong)


def refusal(status: int, headers: Mapping[str, str]) -> str:
    """Return the name for an answer with an unexpected status."""
    again = status in {429, 503}
    return f"{status} {'with' if 'Retry-After' in headers else 'without'} Retry-After" if again else f"status {status}"
