"""Key files and pinned keys."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from eventlog.formats.errors import EvidenceError
from eventlog.formats.governance_note import parse_governance_vkey
from eventlog.formats.note import parse_vkey
from eventlog_client.keys import KeyFileError, chain_of, keys_of, log_of, new_key_file, pinned, vkey_of_file
from tests.support.anchoring import KEY

NAME = "example.com/log/main"


def test_a_new_key_file_is_its_owner_s_alone_and_gives_a_verifier_key(tmp_path: Path) -> None:
    new_key_file(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    vkey = vkey_of_file(tmp_path / "key", NAME)
    assert parse_vkey(vkey).name == NAME
    assert vkey == vkey_of_file(tmp_path / "key", NAME)


def test_a_key_file_is_never_replaced(tmp_path: Path) -> None:
    new_key_file(tmp_path / "key")
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(KeyFileError, match=r"can't make .*: File exists"):
        new_key_file(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before


def test_the_public_half_alone_gives_the_same_verifier_key(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    (tmp_path / "private").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public").write_bytes(public)
    assert vkey_of_file(tmp_path / "private", NAME) == vkey_of_file(tmp_path / "public", NAME)


def test_a_key_that_orders_erasures_has_a_verifier_key_of_its_own_type(tmp_path: Path) -> None:
    new_key_file(tmp_path / "key")
    vkey = vkey_of_file(tmp_path / "key", "example.com/log", governance=True)
    assert parse_governance_vkey(vkey).public_key == parse_vkey(vkey_of_file(tmp_path / "key", NAME)).public_key
    with pytest.raises(KeyFileError, match="can't be a key's name"):
        vkey_of_file(tmp_path / "key", "a b", governance=True)


def test_a_key_of_another_kind_or_none_is_refused(tmp_path: Path) -> None:
    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (other, b"", b"-----BEGIN PRIVATE KEY-----\n"):
        (tmp_path / "key").write_bytes(content)
        with pytest.raises(KeyFileError, match="is not an"):
            vkey_of_file(tmp_path / "key", NAME)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_a_name_that_no_key_can_have_is_refused(tmp_path: Path, name: str) -> None:
    new_key_file(tmp_path / "key")
    with pytest.raises(KeyFileError, match="can't be a key's name"):
        vkey_of_file(tmp_path / "key", name)


@pytest.mark.parametrize(
    ("line", "log", "chain"),
    [("example.com/log/main", "example.com/log", "main"), ("a/b/c~2", "a/b", "c"), ("x/a.b_c-d", "x", "a.b_c-d")],
)
def test_an_origin_line_names_a_log_and_a_chain(line: str, log: str, chain: str) -> None:
    assert (log_of(line), chain_of(line)) == (log, chain)


@pytest.mark.parametrize("line", ["main", "/main", "log/", ""])
def test_an_origin_line_without_a_chain_is_refused(line: str) -> None:
    with pytest.raises(EvidenceError, match="names no chain"):
        chain_of(line)


def test_a_key_speaks_for_its_own_chain_alone() -> None:
    main, other = (KEY.verifier("example.com/log", chain) for chain in ("main", "other"))
    assert keys_of([main, other], "other") == [other]


@pytest.mark.parametrize("text", ["", "a", "a+b+c"])
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(EvidenceError):
        pinned(text)
