"""Requests to the API: where a token may go, retries, problem documents and a limit on the size of answers."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import httpx2
import orjson

from eventlog_client.addresses import bare, open_http
from eventlog_client.errors import FieldProblem, RefusedError, UnexpectedAnswerError, UnreachableError

MAX_ANSWER = 32 << 20
"""No answer of the API is longer: pages and parts end at some 6 MB, and only a server's export goes on beyond."""
_AGAIN = {429, 502, 503, 504}
_LONGEST_WAIT = 30.0
_PREFIX = "/api/v1"

T = TypeVar("T")
Parameters = Mapping[str, str | int | Sequence[str] | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer."""

    status: int
    headers: httpx2.Headers
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON value.

        Raises:
            UnexpectedAnswerError: it is not JSON.
        """
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise UnexpectedAnswerError("the answer is not JSON; is there an event log at this URL?") from error

    def object(self) -> dict[str, Any]:
        """Return the body's JSON object.

        Raises:
            UnexpectedAnswerError: it is not a JSON object.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise UnexpectedAnswerError("the answer is not a JSON object; is there an event log at this URL?")
        return value


class Transport:
    """HTTP with retries. Every request here may be sent again, as appends carry ids made by the client."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 60.0,
        retries: int = 5,
        inner: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        base = url.rstrip("/").removesuffix(_PREFIX) + _PREFIX
        self._http = open_http(base, token, timeout, inner)
        self.url = bare(base)
        self._retries = retries
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, parameters: Parameters | None = None, *, accept: str | None = None) -> Answer:
        """Send a GET request below /api/v1.

        Raises:
            RefusedError: the log refuses the request.
            UnreachableError: the log can't be reached, or stays busy after all retries.
            UnexpectedAnswerError: the answer is not one of this API.
        """
        return self._repeat(lambda: self._exchange(self._request("GET", path, parameters, accept=accept)))

    def post(
        self, path: str, body: bytes, content_type: str = "application/json", parameters: Parameters | None = None
    ) -> Answer:
        """Send a POST request below /api/v1.

        Raises:
            ClientError: as ``get``.
        """
        return self._repeat(
            lambda: self._exchange(self._request("POST", path, parameters, body=body, content_type=content_type))
        )

    @contextmanager
    def lines(
        self, path: str, parameters: Parameters, *, accept: str | None = None, last_event_id: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        """Yield a streamed answer's lines, each with its newline; only the start of the answer is retried.

        Raises:
            ClientError: as ``get``; UnreachableError also while the lines are read.
        """
        # Once a line was handed out the request can't be repeated here: the caller knows where to go on.
        request = partial(self._request, "GET", path, parameters, accept=accept, last_event_id=last_event_id)
        answer = self._repeat(lambda: self._open(request()))
        try:
            yield _split(answer)
        except httpx2.TransportError as error:
            raise UnreachableError(f"{self.url} broke off its answer: {_words(error)}") from error
        except httpx2.DecodingError as error:
            raise UnexpectedAnswerError(f"the answer can't be decompressed: {_words(error)}") from error
        finally:
            answer.close()

    def _request(
        self,
        method: str,
        path: str,
        parameters: Parameters | None,
        *,
        body: bytes | None = None,
        content_type: str | None = None,
        accept: str | None = None,
        last_event_id: str | None = None,
    ) -> httpx2.Request:
        # Parameters and headers that are None are left out, so that the API's defaults apply.
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        headers = {"Content-Type": content_type, "Accept": accept, "Last-Event-ID": last_event_id}
        return self._http.build_request(
            method,
            path,
            params=given,
            content=body,
            headers={name: value for name, value in headers.items() if value},
        )

    def _exchange(self, request: httpx2.Request) -> Answer:
        answer = self._open(request)
        try:
            return Answer(answer.status_code, answer.headers, _read(answer))
        finally:
            answer.close()

    def _open(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; return a successful answer with its body unread."""
        answer = self._http.send(request, stream=True)
        if answer.is_success:
            return answer
        try:
            error = _problem(answer, _read(answer))
        finally:
            answer.close()
        if answer.status_code in _AGAIN:
            raise _AgainError(error, _retry_after(answer.headers))
        raise error

    def _repeat(self, attempt: Callable[[], T]) -> T:
        # Temporary failures are retried: a busy log, a connection that failed. Permanent ones are raised at once: a bad
        # URL, an answer that can't be decoded. The wait doubles, with some chance in it, and is never shorter than
        # what the log asks for in Retry-After.
        for number in range(self._retries + 1):
            wait = random.uniform(0.5, 1) * min(_LONGEST_WAIT, 0.2 * 2**number)  # noqa: S311  spreads clients out
            try:
                return attempt()
            except _AgainError as again:
                problem: Exception = again.problem
                wait = max(wait, again.wait)
            except (httpx2.UnsupportedProtocol, UnicodeError) as error:
                raise UnreachableError(f"{self.url} is not an http or https URL") from error
            except httpx2.DecodingError as error:
                raise UnexpectedAnswerError(f"the answer can't be decompressed: {_words(error)}") from error
            except httpx2.TransportError as error:
                problem = error
            if number < self._retries:
                self._sleep(wait)
        raise UnreachableError(f"{self.url} can't be reached: {_words(problem)}") from problem


class _AgainError(Exception):
    """The log says that it can't answer now (429, 502, 503, 504)."""

    def __init__(self, problem: RefusedError | UnexpectedAnswerError, wait: float) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.wait = wait


def _read(answer: httpx2.Response) -> bytes:
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > MAX_ANSWER:
            raise UnexpectedAnswerError(f"the answer is longer than {MAX_ANSWER} bytes")
    return bytes(body)


def _split(answer: httpx2.Response) -> Iterator[bytes]:
    rest = b""
    for part in answer.iter_bytes():
        *lines, rest = (rest + part).split(b"\n")
        yield from (line + b"\n" for line in lines)
        if len(rest) > MAX_ANSWER:
            raise UnexpectedAnswerError(f"a line of the answer is longer than {MAX_ANSWER} bytes")
    if rest:
        yield rest


def _problem(answer: httpx2.Response, body: bytes) -> RefusedError | UnexpectedAnswerError:
    """Read the problem document (RFC 9457) of an answer, or API Gateway's own ``{"message": ...}``."""
    # A proxy in between may answer with anything, so each member is taken only if it is of the right kind.
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        return UnexpectedAnswerError(f"answered with {answer.status_code}; is there an event log at this URL?")
    errors = value.get("errors")
    problems = [
        FieldProblem(str(error.get("pointer", "")), str(error.get("detail", "")))
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict)
    ]
    title = str(value.get("title") or answer.reason_phrase)
    return RefusedError(answer.status_code, title, str(value.get("detail") or value.get("message") or ""), problems)


def _retry_after(headers: httpx2.Headers) -> float:
    """Return the seconds of Retry-After (RFC 9110, section 10.2.3); a date counts as none given."""
    text = headers.get("Retry-After", "")
    return min(float(text), _LONGEST_WAIT) if text.isascii() and text.isdecimal() and len(text) < 9 else 0.0


def _words(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
