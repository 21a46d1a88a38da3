"""One tenant tries to take the log from another: a real server, all attacks at once, the other at work meanwhile.

Chains without number, streams, audits, bodies that are large as objects, connections that stand still, paths with two
readings, and clients that leave. What takes nothing from anybody (an audit that counts as a round, scripts of other
hosts, claims with a star) has its tests where it is decided.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest

from admin.token import add_token
from eventlog.anchors.signing import create_key_file
from local.machine import wait_until
from tests.support.access import EVENT
from tests.support.bodies import HOSTILE, native
from tests.support.processes import Running, server

ALL = ["events:read", "events:write", "audits:write"]
CHAINS, STREAMS = 8, 5
"""What one caller may have on this server."""
TRIED_STREAMS, TRIED_AUDITS, TRIED_BODIES, TRIED_SLOW = 60, 40, 2, 40
EVENTS = "/api/v1/events"
LARGE = native(HOSTILE["empty objects"])
ODD = ["/api/v1/chains/hostile.a%2Froot", "/api/v1/chains/hostile/..%2Fneighbour/root", "/api/v1/chains/neighbour"]
"""What is another route, or somebody else's, in one of two readings."""
HEAD = "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
UNREAD = "GET /api/v1/export?chain=hostile HTTP/1.1\r\nHost: {}\r\n"
ATTACKS = {"stream", "chain", "audit", "body", "slow", "path", "left"}
ROUNDS = 7
SECONDS = 30
"""After which the neighbour gives up on an answer. It is a hundred times what one takes: only who is kept out does."""


class Hostile:
    """Does what each attack needs, all at once, and counts the answers by attack and status."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"}
        self.answers: Counter[tuple[str, int]] = Counter()
        self.audits: set[str] = set()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Attack while the block runs; it begins once every attack is under way."""
        loop, stopped = asyncio.new_event_loop(), asyncio.Event()
        before = self.answers.copy()
        thread = threading.Thread(target=lambda: loop.run_until_complete(self._attack(stopped)))
        thread.start()
        try:
            wait_until("every attack to be under way", lambda: self._is_under_way(before), 60)
            yield
        finally:
            loop.call_soon_threadsafe(stopped.set)
            thread.join()
            loop.close()

    def _is_under_way(self, before: Counter[tuple[str, int]]) -> bool:
        new = self.answers.copy() - before  # at once, as the other thread goes on
        streams = sum(count for (attack, _), count in new.items() if attack == "stream")
        return streams == TRIED_STREAMS and {attack for attack, _ in new} == ATTACKS

    async def _attack(self, stopped: asyncio.Event) -> None:
        unlimited = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(
            base_url=self._url, headers=self._headers, timeout=60, limits=unlimited
        ) as client:
            await asyncio.gather(
                self._create_chains(client, stopped),
                *(self._hold_stream(client, stopped) for _ in range(TRIED_STREAMS)),
                *(self._ask_for_audits(client, stopped) for _ in range(TRIED_AUDITS)),
                *(self._send_large_bodies(client, stopped) for _ in range(TRIED_BODIES)),
                *(self._stand_still(stopped, number) for number in range(TRIED_SLOW)),
                self._ask_oddly(client, stopped),
                self._leave(stopped),
            )

    async def _create_chains(self, client: httpx2.AsyncClient, stopped: asyncio.Event) -> None:
        while not stopped.is_set():
            answer = await client.post(EVENTS, json=EVENT | {"chain": f"hostile.{uuid4().hex}"})
            self.answers["chain", answer.status_code] += 1
            await _until(stopped, 0.05)

    async def _hold_stream(self, client: httpx2.AsyncClient, stopped: asyncio.Event) -> None:
        async with client.stream("GET", f"{EVENTS}/stream?chain=hostile") as answer:
            self.answers["stream", answer.status_code] += 1
            await stopped.wait()

    async def _ask_for_audits(self, client: httpx2.AsyncClient, stopped: asyncio.Event) -> None:
        while not stopped.is_set():
            answer = await client.post("/api/v1/audits", json={"chain": "hostile", "mode": "full"})
            self.answers["audit", answer.status_code] += 1
            self.audits |= {answer.json()["audit_id"]} if answer.is_success else set()
            await _until(stopped, 0.5)

    async def _send_large_bodies(self, client: httpx2.AsyncClient, stopped: asyncio.Event) -> None:
        headers = {"content-type": "application/json"}
        while not stopped.is_set():
            answer = await client.post(EVENTS, content=LARGE, headers=headers)
            self.answers["body", answer.status_code] += 1
            await _until(stopped, 0.5)

    async def _stand_still(self, stopped: asyncio.Event, number: int) -> None:
        """Send half of the headers, or half of a body; or (as these cost work) read nothing of an export, twice."""
        head = HEAD if number > 1 else UNREAD
        half = "{" if number % 2 else "" if number > 1 else "\r\n"
        async with self._connected(head, "\r\n" + half if half else "") as _:
            self.answers["slow", 0] += 1
            await stopped.wait()

    async def _leave(self, stopped: asyncio.Event) -> None:
        while not stopped.is_set():
            async with self._connected(HEAD, '\r\n{"event_type": "t"'):
                self.answers["left", 0] += 1
            await _until(stopped, 0.2)

    async def _ask_oddly(self, client: httpx2.AsyncClient, stopped: asyncio.Event) -> None:
        while not stopped.is_set():
            for path in ODD:
                self.answers["path", (await client.get(path)).status_code] += 1
            await _until(stopped, 0.2)

    @asynccontextmanager
    async def _connected(self, head: str, rest: str) -> AsyncIterator[None]:
        """A connection on which a part of a request was sent."""
        place = urlsplit(self._url)
        _, writer = await asyncio.open_connection(place.hostname, place.port, limit=1)
        token = f"Authorization: {self._headers['authorization']}\r\n"
        writer.write((head.format(EVENTS, place.netloc) + token + rest).encode())
        try:
            await writer.drain()
            yield
        finally:
            writer.close()


async def _until(stopped: asyncio.Event, seconds: float) -> None:
    """Keep to a rate that no limit of requests would stop."""
    try:
        async with asyncio.timeout(seconds):
            await stopped.wait()
    except TimeoutError:
        return


class Neighbour:
    """The other tenant, who uses the log as anybody does."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self._seq = -1

    def append(self) -> None:
        answer = self._client.post(EVENTS, json=EVENT | {"chain": "neighbour"})
        assert answer.status_code == 201, answer.text
        self._seq = answer.json()["seq"]

    def read(self) -> None:
        answer = self._client.get(EVENTS, params={"chain": "neighbour", "limit": 20})
        assert answer.status_code == 200, answer.text

    def stream(self) -> None:
        """Follow the chain from its newest event; done when that has come."""
        wanted: dict[str, str | int] = {"chain": "neighbour", "from_seq": self._seq}
        with self._client.stream("GET", f"{EVENTS}/stream", params=wanted) as answer:
            assert answer.status_code == 200
            assert any(line.startswith("data:") and '"seq"' in line for line in answer.iter_lines())

    def audit(self) -> None:
        """Have the chain audited: all of it is anchored then."""
        answer = self._client.post("/api/v1/audits", json={"chain": "neighbour"})
        report = answer.json()
        assert (answer.status_code, report["status"], report["anchored_size"]) == (200, "intact", self._seq + 1), report

    def health(self) -> None:
        assert self._client.get("/api/v1/health").status_code == 200

    def work(self) -> None:
        """Make every use a few times, in turns."""
        for _ in range(ROUNDS):
            self.append()
            self.read()
            self.stream()
            self.audit()
            self.health()


@pytest.fixture
def tenants(mongo_uri: str, database: str, tmp_path: Path) -> Iterator[tuple[Hostile, Neighbour, Running]]:
    """Both tenants of a server process that anchors; the hostile one has a chain that takes a while to audit."""
    create_key_file(tmp_path / "key.pem")
    names = ("hostile", "neighbour")
    tokens = {name: add_token(tmp_path / "tokens", name, ALL, [f"{name}*"]) for name in names}
    variables = {
        "MONGO_URI": mongo_uri,
        "MONGO_DATABASE": database,
        "EVENTLOG_TOKENS": str(tmp_path / "tokens"),
        "EVENTLOG_ANCHORS": str(tmp_path / "anchors"),
        "EVENTLOG_SIGNING_KEYS": str(tmp_path / "key.pem"),
        "EVENTLOG_NEW_CHAINS_PER_DAY": str(CHAINS),
        "EVENTLOG_STREAMS_PER_CALLER": str(STREAMS),
    }
    with server(tmp_path, **variables) as running, _client(running.url, tokens["neighbour"]) as neighbour:
        with _client(running.url, tokens["hostile"]) as client:
            for _ in range(8):
                batch = [EVENT | {"chain": "hostile"}] * 500
                assert client.post(f"{EVENTS}/batch", json=batch).status_code == 201
        yield Hostile(running.url, tokens["hostile"]), Neighbour(neighbour), running


def _client(url: str, token: str) -> httpx2.Client:
    return httpx2.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=SECONDS)


def test_a_hostile_tenant_takes_nothing_from_its_neighbour(
    tenants: tuple[Hostile, Neighbour, Running], client: Any, database: str
) -> None:
    hostile, neighbour, running = tenants
    neighbour.append()
    with hostile.at_work():
        neighbour.work()
    _check_counts(hostile, client[database])
    lines = [json.loads(line) for line in running.output.splitlines() if line.startswith("{")]
    assert {line["level"] for line in lines if "level" in line} <= {"INFO", "WARNING"}
    assert any(line.get("status") == 499 for line in lines)


def _check_counts(hostile: Hostile, database: Any) -> None:
    """What the hostile tenant got, whatever it tried and however often."""
    answers = hostile.answers
    assert {status for attack, status in answers if attack == "chain"} <= {201, 429}
    assert answers["chain", 429] > 0
    chains = database["sequences"].count_documents({"_id": {"$regex": "^hostile"}})
    assert chains <= CHAINS
    assert {status for attack, status in answers if attack == "stream"} == {200, 429}
    assert answers["stream", 200] / (answers["stream", 200] + answers["stream", 429]) == STREAMS / TRIED_STREAMS
    # Those who ask for the same audit at a time join it, so there are far fewer audits than requests.
    assert {status for attack, status in answers if attack == "audit"} <= {200, 202}
    assert {status for attack, status in answers if attack == "body"} == {413}
    assert {status for attack, status in answers if attack == "path"} == {404}
    assert 4 * len(hostile.audits) <= answers["audit", 200] + answers["audit", 202]
