"""A small KMS: GetPublicKey and Sign of Ed25519 keys over HTTP, in the JSON protocol that AWS's own client speaks.

moto has no Ed25519 keys. A real boto3 client talks to this server, so botocore checks our parameters against AWS's own
model. The server refuses what KMS refuses for a key of spec ECC_NIST_EDWARDS25519: any algorithm but ED25519_SHA_512
with message type RAW. It can't show that AWS itself agrees.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class KmsError(Exception):
    """An error answer; the text is AWS's name for it."""


class KmsServer:
    """Keys by their ids; ``public`` is what GetPublicKey shows of each, ``calls`` the operations asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, Ed25519PrivateKey] = {}
        self.public: dict[str, PublicKeyTypes] = {}
        self.calls: list[str] = []

    def make_key(self, key_id: str) -> Ed25519PrivateKey:
        """Make a key under an id."""
        key = self.keys[key_id] = Ed25519PrivateKey.generate()
        self.public[key_id] = key.public_key()
        return key

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one operation; return the answer.

        Raises:
            KmsError: KMS would refuse it.
        """
        # Counted before anything is refused: tests look at what was asked for.
        self.calls.append(operation)
        key_id = request["KeyId"]
        if key_id not in self.public:
            raise KmsError("NotFoundException")
        if operation == "GetPublicKey":
            return {"KeyId": key_id, "KeySpec": "ECC_NIST_EDWARDS25519", "PublicKey": self._der(key_id)}
        if operation == "Sign":
            return {"KeyId": key_id, "SigningAlgorithm": "ED25519_SHA_512", "Signature": self._sign(key_id, request)}
        raise KmsError("UnknownOperationException")

    def _der(self, key_id: str) -> str:
        der = self.public[key_id].public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def _sign(self, key_id: str, request: dict[str, Any]) -> str:
        message = base64.b64decode(request["Message"], validate=True)
        if (request["SigningAlgorithm"], request.get("MessageType", "RAW")) != ("ED25519_SHA_512", "RAW"):
            raise KmsError("InvalidKeyUsageException")
        if not 1 <= len(message) <= 4096:
            raise KmsError("ValidationException")
        return base64.b64encode(self.keys[key_id].sign(message)).decode()


@contextmanager
def serve() -> Iterator[KmsServer]:
    """Run a KMS without keys on a port of its own while the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            # AWS's JSON 1.1 protocol: the header names service and operation, and errors are in ``__type``.
            service, _, operation = self.headers["X-Amz-Target"].partition(".")
            assert (service, self.headers["Content-Type"]) == ("TrentService", "application/x-amz-json-1.1")
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                status, answer = 200, kms.answer(operation, request)
            except KmsError as refused:
                status, answer = 400, {"__type": str(refused), "message": "refused"}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        kms = KmsServer(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield kms
        finally:
            server.shutdown()
            thread.join()
