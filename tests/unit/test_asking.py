"""What a log makes of a witness's answers, in all dialects there are: a real HTTP server says them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from urllib.parse import urlsplit

import pytest

from eventlog.formats.checkpoint import parse_checkpoint
from eventlog.formats.cosignature import cosign
from eventlog.formats.note import parse_note
from eventlog.formats.witness_protocol import SIZE_TYPE, format_answer, parse_request
from eventlog.store.errors import CorruptionError
from eventlog.witnessing import http_call
from eventlog.witnessing.asking import CosigningOutcome, CosigningRequest, ask
from eventlog.witnessing.http_call import NoReplyError, WitnessReply, call, refusal
from tests.support.each import each
from tests.support.evidence import Key
from tests.support.witness_requests import LOG, TIME, W, note, proof
from tests.support.witness_servers import Says, ScriptedWitness, running
from tests.support.witnesses import ed25519, ml_dsa

SIZE = 9
OTHER = ed25519("witness.example/w2", 2)
PQ = ml_dsa(W.key.name, 3)
TEXT = "text/plain; charset=utf-8"


def says(status: int, body: bytes = b"", media_type: str = TEXT) -> Says:
    return lambda _: (status, media_type, body)


def holds(size: int) -> Says:
    return says(409, f"{size}\n".encode(), SIZE_TYPE)


def signs(*keys: object, time: int = TIME, spoil: bool = False) -> Says:
    """Cosigns what it was sent, whatever that is."""

    def answer(body: bytes | None) -> tuple[int, str, bytes]:
        text = parse_note(parse_request(body or b"").checkpoint).text
        lines = cosign(text.replace("9", "8", 1) if spoil else text, time, keys or [W])  # type: ignore[arg-type]
        return 200, TEXT, format_answer(lines)

    return answer


def request(url: str, old: int = 0) -> CosigningRequest:
    signed = note(SIZE)
    checkpoint = parse_checkpoint(parse_note(signed).text)
    known = [OTHER.key, PQ.key, W.key]
    return CosigningRequest(
        url=url, key=W.key, known=known, own=[LOG], checkpoint=checkpoint, note=signed, old=old, now=TIME
    )


@contextmanager
def asked(
    *script: Says, old: int = 0, shows: tuple[int, bytes] = (404, b"")
) -> Iterator[tuple[CosigningOutcome, list[int]]]:
    """The outcome, and the sizes that the witness was asked from."""
    server = ScriptedWitness(*script, shows=shows)
    with running(server):
        outcome = ask(request(server.url, old), lambda first: proof(first, SIZE), call)
    olds = [parse_request(body).old for body in server.bodies]
    for body in server.bodies:
        sent = parse_request(body)
        assert (sent.checkpoint, sent.hashes) == (note(SIZE), proof(sent.old, SIZE) if 0 < sent.old < SIZE else ())
    assert server.script == []
    yield outcome, olds


TABLE: dict[str, tuple[list[Says], int, list[int], str]] = {
    "cosigns at first contact": ([signs()], 0, [0], "cosigning"),
    "cosigns from where it was": ([signs()], 5, [5], "cosigning"),
    "cosigns the same size again": ([signs()], SIZE, [SIZE], "cosigning"),
    "is never asked from beyond the anchor": ([signs()], SIZE + 4, [SIZE], "cosigning"),
    "has seen less than we know": ([holds(5), signs()], 7, [7, 5], "cosigning"),
    "has seen more than we know": ([holds(7), signs()], 0, [0, 7], "cosigning"),
    "holds this very tree": ([holds(SIZE), signs()], 0, [0, SIZE], "cosigning"),
    "has forgotten all": ([holds(0), signs()], 7, [7, 0], "cosigning"),
    "two keys of one name": ([signs(W, PQ)], 0, [0], "cosigning"),
    "a key that nobody knows beside its own": ([signs(W, ed25519("x", 9))], 0, [0], "cosigning"),
    "a clock that is just right": ([signs(time=TIME - 300)], 0, [0], "cosigning"),
    "a clock that is slow": ([signs(time=TIME - 301)], 0, [0], "unsound"),
    "a clock that is fast": ([signs(time=TIME + 301)], 0, [0], "unsound"),
    "a line of another text": ([signs(spoil=True)], 0, [0], "unsound"),
    "a good line and a bad one of another known key": (
        [lambda body: (200, TEXT, signs()(body)[2] + signs(OTHER, spoil=True)(body)[2])], 0, [0], "unsound"),
    "only lines of others": ([signs(OTHER)], 0, [0], "unsound"),
    "200 and nothing": ([says(200)], 0, [0], "unsound"),
    "200 and no lines": ([says(200, b"ok\n")], 0, [0], "unsound"),
    "is ahead": ([holds(SIZE + 1)], 0, [0], "ahead"),
    "is ahead, after all": ([holds(5), holds(SIZE + 2)], 0, [0, 5], "ahead"),
    "says one size and means another": ([holds(5), holds(5)], 0, [0, 5], "silent"),
    "409 without its type, as omniwitness for another root": ([says(409, b"9\n")], SIZE, [SIZE], "contradicts"),
    "409 with a size that is none": ([says(409, b"nine\n", SIZE_TYPE)], 0, [0], "contradicts"),
    "409 for the same size, then 422": ([holds(SIZE), says(422)], 0, [0, SIZE], "contradicts"),
    "422": ([says(422)], 5, [5], "contradicts"),
    "404": ([says(404)], 0, [0], "unknown"),
    "403, as litewitness for an unknown log": ([says(403)], 0, [0], "unknown"),
    "400": ([says(400)], 0, [0], "silent"),
    "429": ([says(429)], 0, [0], "silent"),
    "503": ([says(503)], 0, [0], "silent"),
    "a redirect is not followed": ([says(307)], 0, [0], "silent"),
    "an answer that is too long": ([says(200, b"x" * 65_537)], 0, [0], "silent"),
}  # fmt: skip


@each("case, answers", TABLE.items())
def test_each_answer_has_one_meaning(case: str, answers: tuple[list[Says], int, list[int], str]) -> None:
    script, old, olds, state = answers
    with asked(*script, old=old) as (outcome, seen):
        assert (case, outcome.state, seen) == (case, state, olds)
        assert bool(outcome.lines) == (outcome.time is not None) == (state == "cosigning")


def test_only_lines_of_known_keys_are_kept() -> None:
    with asked(signs(W, PQ, ed25519("x", 9))) as (outcome, _):
        assert {line.key_id for line in outcome.lines} == {W.key.key_id, PQ.key.key_id}


@each(
    "case, shows, evidence",
    [
        ("a tree that our key has signed", (200, note(14)), True),
        ("another history that our key has signed", (200, note(SIZE, "other")), True),
        ("one that another key has signed", (200, note(14, "", Key("thief"))), False),
        ("nothing", (404, b""), False),
        ("no note", (200, b"size 14\n"), False),
        ("another log's", (200, note(14).replace(LOG.name.encode(), b"else.example/x/main")), False),
    ],
)
@each("answer", [holds(14), says(422)])
def test_what_it_shows_counts_only_if_our_own_key_has_signed_it(
    answer: Says, case: str, shows: tuple[int, bytes], evidence: bool
) -> None:
    with asked(answer, old=5, shows=shows) as (outcome, _):
        assert outcome.state in {"ahead", "contradicts"}
        assert (case, outcome.shown) == (case, shows[1] if evidence else None)


def test_who_is_not_there_or_never_answers_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventlog.witnessing.http_call.SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as hangs, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody else gets the port, and nobody listens
        for each_of in (hangs, closed):
            url = f"http://127.0.0.1:{each_of.getsockname()[1]}/w"
            assert ask(request(url), lambda _: (), call).state == "silent"


def test_a_witness_that_sends_a_byte_now_and_then_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait is short, so a limit on waits alone would never end it."""
    monkeypatch.setattr("eventlog.witnessing.http_call.SECONDS", 0.1)

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            found, _ = listening.accept()
            with found, suppress(OSError):  # until the log hangs up
                found.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not select([found], [], [], 0.01)[0] or found.recv(1 << 16):
                    found.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(NoReplyError, match="TimeoutError"):
            call(f"http://127.0.0.1:{listening.getsockname()[1]}/add-checkpoint", b"x")
        thread.join()


def test_without_a_proof_nobody_is_asked() -> None:
    def broken(_: int) -> tuple[bytes, ...]:
        raise CorruptionError("a node is missing")

    def never(url: str, body: bytes | None) -> WitnessReply:
        raise AssertionError(url, body)

    assert ask(request("http://127.0.0.1:1/w", 5), broken, never).state == "not_asked"


@each(
    "case, url, refused",
    [
        ("https", "https://witness.example/w", False),
        ("http on this machine", "http://127.0.0.1:8100/witness", False),
        ("http on this machine, v6", "http://[::1]:8100/witness", False),
        ("none", None, True),
        ("http elsewhere", "http://witness.example/w", True),
        ("http to a name that begins like this machine's", "http://127.0.0.1.example/w", True),
        ("a password", "https://u:p@witness.example/w", True),
        ("another scheme", "file:///etc/passwd", True),
        ("no host", "https:///w", True),
        ("no port", "https://witness.example:port/w", True),
        ("a query", "https://witness.example/w?x=1", True),
        ("no URL", "https://[", True),
        ("v6 without a port", "https://[2001:db8::a]/w", False),
    ],
)
def test_only_https_is_asked_and_http_on_this_machine(case: str, url: str | None, refused: bool) -> None:
    assert (case, refusal(url) is not None) == (case, refused)


def test_an_address_in_ipv6_without_a_port_is_asked_at_the_scheme_s() -> None:
    for url, expected in (
        ("https://[2001:db8::1]/w", ("2001:db8::1", 443)),
        ("https://[2001:db8::a]/w", ("2001:db8::a", 443)),
        ("https://[2001:db8::a]:8443/w", ("2001:db8::a", 8443)),
        ("http://[::1]/w", ("::1", 80)),
    ):
        connection = http_call._connection(urlsplit(url))
        assert (connection.host, connection.port) == expected
