"""The contract of Signer, kept by key files and by keys in KMS (local/start_api/kms.py: moto has no Ed25519 keys)."""

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from eventlog.anchors import signing
from eventlog.anchors.signing import KeyFile, KmsKey, create_key_file, open_signer
from eventlog.formats.anchor import NO_ANCHOR, Seal, sign_anchor, verify_anchor
from eventlog.formats.checkpoint import Checkpoint
from eventlog.formats.note import Signer, VerifierKey, format_vkey, parse_vkey
from eventlog.store.errors import SigningError, StoreUnavailableError
from local.start_api import kms as kms_server
from local.start_api.kms import KmsServer

pytestmark = pytest.mark.usefixtures("aws")

CHECKPOINT = Checkpoint("log.example.com/production/main", 2**40, bytes(32))
EC_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[KmsServer]:
    with kms_server.serve() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", server.url)
        yield server


@pytest.fixture
def key(kms: KmsServer) -> KmsKey:
    kms.make_key("alias/log")
    return KmsKey(boto3.client("kms"), "alias/log")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    create_key_file(tmp_path / "keys" / "log.pem")
    return tmp_path / "keys" / "log.pem"


@pytest.fixture(params=["file", "kms"])
def signer(request: pytest.FixtureRequest) -> Signer:
    if request.param == "file":
        return open_signer(str(request.getfixturevalue("key_file")))
    request.getfixturevalue("kms").make_key("alias/log")
    return open_signer("kms:alias/log")


def pem(key: Any, encryption: KeySerializationEncryption | None = None) -> bytes:
    encoded: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return encoded


def test_an_anchor_is_signed_and_verifies(signer: Signer) -> None:
    data = sign_anchor(CHECKPOINT, Seal(1, 1_800_000_000_000, NO_ANCHOR), [signer])
    anchor = verify_anchor(data, [signer.public_key])
    assert (anchor.checkpoint, len(signer.public_key)) == (CHECKPOINT, 32)


def test_the_same_message_always_gets_the_same_signature(signer: Signer) -> None:
    assert signer.sign(b"message") == signer.sign(b"message")


def test_a_retired_key_is_known_by_its_verifier_key(signer: Signer) -> None:
    vkey = format_vkey(VerifierKey("log.example.com/main", signer.public_key))
    assert parse_vkey(vkey).public_key == signer.public_key


def test_what_fails_to_sign_counts_as_unavailable() -> None:
    assert issubclass(SigningError, StoreUnavailableError)


def test_a_new_key_file_is_its_owners_alone(key_file: Path) -> None:
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert key_file.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


def test_a_key_file_is_never_replaced(key_file: Path) -> None:
    before = key_file.read_bytes()
    assert create_key_file(key_file) is False
    assert key_file.read_bytes() == before


def test_of_many_that_make_a_key_file_one_does(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create_key_file, [tmp_path / "new" / "log.pem"] * 8))
    assert made.count(True) == 1
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["log.pem"]


def test_a_key_file_can_not_be_made_where_there_is_no_directory(key_file: Path) -> None:
    with pytest.raises(SigningError, match="can't be made: "):
        create_key_file(key_file / "below")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o601, 0o666])
def test_a_key_file_that_others_can_use_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(SigningError, match="chmod 600"):
        KeyFile(key_file).sign(b"message")


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_file_that_its_owner_alone_can_use_is_taken(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    assert len(KeyFile(key_file).sign(b"message")) == 64


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an unencrypted private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not an unencrypted private key in PEM"),
        (pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"x")), "not an unencrypted private key in PEM"),
        (pem(rsa.generate_private_key(65537, 2048)), "does not hold an Ed25519 key"),
        (pem(EC_KEY), "does not hold an Ed25519 key"),
    ],
    ids=["empty", "broken", "encrypted", "rsa", "p256"],
)
def test_a_file_without_a_usable_key_is_refused(key_file: Path, content: bytes, reason: str) -> None:
    key_file.write_bytes(content)
    with pytest.raises(SigningError, match=reason):
        KeyFile(key_file).sign(b"message")


def test_an_error_names_the_file_and_shows_nothing_of_the_key(key_file: Path) -> None:
    secret = pem(rsa.generate_private_key(65537, 2048))
    key_file.write_bytes(secret)
    with pytest.raises(SigningError, match=str(key_file)) as raised:
        _ = KeyFile(key_file).public_key
    assert secret.decode().splitlines()[1] not in str(raised.value)


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match=r"gone\.pem can't be read: No such file"):
        KeyFile(tmp_path / "gone.pem").sign(b"message")


def test_kms_is_asked_for_the_public_key_once(kms: KmsServer, key: KmsKey) -> None:
    for _ in range(3):
        key.sign(b"message")
        assert len(key.public_key) == 32
    assert kms.calls.count("GetPublicKey") == 1


def test_kms_signs_messages_up_to_its_limit(key: KmsKey) -> None:
    assert len(key.sign(bytes(signing.MAX_KMS_MESSAGE))) == 64


def test_kms_is_not_asked_for_what_it_would_refuse(kms: KmsServer, key: KmsKey) -> None:
    with pytest.raises(SigningError, match="at most 4096 bytes, not 4097"):
        key.sign(bytes(4097))
    assert kms.calls == []


def test_the_longest_message_of_an_anchor_is_within_the_limit_of_kms() -> None:
    longest = Checkpoint(f"{'o' * 200}/{'c' * 64}~{2**63}", 2**63 - 1, bytes(32))
    messages: list[bytes] = []

    class Recorder:
        public_key = bytes(32)

        def sign(self, message: bytes) -> bytes:
            messages.append(message)
            return bytes(64)

    sign_anchor(longest, Seal(2**63 - 1, 2**63 - 1, bytes(32)), [Recorder()])
    assert max(map(len, messages)) < 1024 < signing.MAX_KMS_MESSAGE


def test_a_signature_that_does_not_fit_the_public_key_is_not_used(kms: KmsServer, key: KmsKey) -> None:
    kms.public["alias/log"] = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(SigningError, match="not valid under its public key"):
        key.sign(b"message")


def test_an_alias_that_was_moved_is_noticed_and_its_new_key_asked_for(kms: KmsServer, key: KmsKey) -> None:
    before = key.public_key
    kms.make_key("alias/log")
    with pytest.raises(SigningError, match="not valid"):
        key.sign(b"message")
    assert key.public_key != before
    assert len(key.sign(b"message")) == 64


def test_a_kms_key_of_another_kind_is_refused(kms: KmsServer, key: KmsKey) -> None:
    kms.public["alias/log"] = EC_KEY.public_key()
    with pytest.raises(SigningError, match="not of spec ECC_NIST_EDWARDS25519"):
        _ = key.public_key


@pytest.mark.usefixtures("kms")
def test_a_kms_key_that_is_not_there_is_named() -> None:
    with pytest.raises(SigningError, match="KMS key alias/gone: NotFoundException in Sign"):
        open_signer("kms:alias/gone").sign(b"message")


def test_a_kms_that_does_not_answer_is_an_error_of_signing() -> None:
    config = Config(retries={"total_max_attempts": 1})
    client = boto3.client("kms", endpoint_url="http://127.0.0.1:1", config=config)
    with pytest.raises(SigningError, match="EndpointConnectionError"):
        KmsKey(client, "alias/log").sign(b"message")


def test_kms_without_a_region_is_an_error_of_signing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SigningError, match="NoRegionError"):
        open_signer("kms:alias/log")


@pytest.mark.parametrize(("algorithm", "kind"), [("ED25519_PH_SHA_512", "DIGEST"), ("ED25519_SHA_512", "DIGEST")])
@pytest.mark.usefixtures("aws", "key")
def test_the_server_of_these_tests_refuses_what_kms_refuses(algorithm: Any, kind: Any) -> None:
    client = boto3.client("kms")
    with pytest.raises(client.exceptions.InvalidKeyUsageException):
        client.sign(KeyId="alias/log", Message=bytes(64), SigningAlgorithm=algorithm, MessageType=kind)
