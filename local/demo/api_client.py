"""A client of the HTTP API with what the demo needs."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2

from eventlog_client.addresses import open_http
from local.demo.events_file import EventLine
from local.machine import LocalError

AUDIT_SECONDS = 300


class ApiClient:
    """A few calls of the HTTP API; an unexpected answer becomes a LocalError."""

    def __init__(self, base_url: str) -> None:
        self.url = base_url
        self._http = open_http(f"{base_url}/api/v1", None, 60, None)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def append(self, path: Path, batch: Sequence[EventLine]) -> list[dict[str, Any]]:
        """Send the lines as one NDJSON batch; return their receipts, in order."""
        body = "\n".join(line.text for line in batch).encode()
        answer = self._http.post("/events/batch", content=body, headers={"Content-Type": "application/x-ndjson"})
        if answer.is_success:
            receipts: list[dict[str, Any]] = answer.json()["receipts"]
            return receipts
        raise LocalError(f"{path}{refusal(answer, batch)}.")

    def find(self, **parameters: str) -> list[dict[str, Any]]:
        """Return all events that match, over as many pages as it takes."""
        return [event for page in self._pages(parameters) for event in page]

    def audit(self, chain: str) -> dict[str, Any]:
        """Have a chain audited in full; return the report."""
        report = checked(self._http.post("/audits", json={"chain": chain, "mode": "full"}))
        deadline = time.monotonic() + AUDIT_SECONDS
        while report.get("status", "running") == "running":
            if time.monotonic() > deadline:
                raise LocalError(f"The audit took more than {AUDIT_SECONDS} s.")
            time.sleep(0.2)
            report = checked(self._http.get(f"/audits/{report['audit_id']}"))
        return report

    def proof_file(self, event_id: str, chain: str) -> str:
        """Return the event's proof under the newest checkpoint, as a C2SP proof file."""
        answer = self._http.get(f"/events/{event_id}/proof", params={"chain": chain}, headers={"Accept": "text/plain"})
        if not answer.is_success:
            raise LocalError(f"The proof of event {event_id} was answered {problem_text(answer)}.")
        return answer.text

    def _pages(self, parameters: dict[str, str]) -> Iterator[list[dict[str, Any]]]:
        query = {**parameters, "limit": "1000"}
        while True:
            page = checked(self._http.get("/events", params=query))
            yield page["events"]
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]


def checked(answer: httpx2.Response) -> dict[str, Any]:
    """Return the JSON object of a successful answer.

    Raises:
        LocalError: it is not a success; the text is what the API says.
    """
    if not answer.is_success:
        raise LocalError(f"{answer.request.method} {answer.request.url} was answered {problem_text(answer)}.")
    body: dict[str, Any] = answer.json()
    return body


def refusal(answer: httpx2.Response, batch: Sequence[EventLine]) -> str:
    """Return why a batch was refused, with the first bad line's number if the API names one."""
    try:
        first = answer.json()["errors"][0]
        index, _, rest = first["pointer"].removeprefix("/").partition("/")
        return f", line {batch[int(index)].number} was refused: {rest} {first['detail']}".replace(":  ", ": ")
    except (ValueError, LookupError, TypeError, AttributeError):
        return f" was refused: {problem_text(answer)}"


def problem_text(answer: httpx2.Response) -> str:
    """Return a problem document's status and words."""
    try:
        problem = answer.json()
        return f"{answer.status_code} {problem.get('detail') or problem.get('title')}".rstrip(".")
    except (ValueError, AttributeError):
        return str(answer.status_code)
