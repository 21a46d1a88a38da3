"""A witness of the drill's log: our own, over HTTP, which saw the honest log and remembers it."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.formats.policy import parse_policy
from eventlog.witness.keys import WitnessKey, witness_key
from eventlog_client.errors import NotWitnessedError
from eventlog_client.witness_server import WitnessServer
from eventlog_client.witnesses import Witnesses

_NAME = "witness.example/drill"
KEY: WitnessKey = witness_key(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), _NAME)
"""The same for each run: what it protects is thrown away at the end of it."""


@contextmanager
def witness_in(memory: Path, logs: Iterable[VerifierKey], policy: Path) -> Iterator[None]:
    """Run a witness that knows these logs, and write the policy that asks for it."""
    server = WitnessServer(memory, [KEY], ("127.0.0.1", 0))
    for key in logs:
        server.state.add_log(key)
    policy.write_text(f"witness w {format_vkey(KEY.key)} {server.url}\nquorum w\n")
    thread = threading.Thread(target=lambda: server.serve_forever(0.05), name="witness", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def refusal(policy: Path, note: bytes) -> str | None:
    """Return why a verifier with this policy does not believe a checkpoint; None if it does."""
    try:
        Witnesses(parse_policy(policy.read_bytes())).check(note)
    except NotWitnessedError:
        return "no quorum"
    except EvidenceError as error:
        return str(error)
    return None
