"""Encrypted members: the page's example, what a key opens and what not, and what is left once it is destroyed."""

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import assume, given
from hypothesis import strategies as st

from eventlog.formats.canonical import canonicalize
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event, make_entry
from eventlog.formats.names import ID_PATTERN
from eventlog.stored.erased import erased
from eventlog_client.encrypted_members import additional_data, open_member, parse_member, pointer_of, seal_member
from eventlog_client.shred import Decrypted, KeyDestroyedError, KeyFolder, MemoryKeys, decrypt_members, encrypt_members
from tests.support.texts import TEXT, VALUE
from tests.unit.test_formats_pages import text, unhexed

PAGE, ID = "encrypted-members", "01936000-0000-7000-8000-000000000004"
PAYLOAD = {"customer": {"name": "Ada", "~/a": [1, {"b": None}]}, "agent": "Bob", "n": 7}
KIDS = {"/customer/name": "c-1", "/customer/~0~1a/1": "c-1", "/agent": "a-1"}
Json = dict[str, Any]


def event(payload: Json, event_id: str = ID) -> Event:
    """An event with this payload, as a reader has it."""
    made = make_entry(
        chain="main",
        event_id=event_id,
        event_type="t",
        source_id="s",
        timestamp=0,
        received_at=0,
        principal="p",
        payload=canonicalize(payload).decode(),
        salt=bytes(16),
    )
    return Event(made, 0, bytes(32), bytes(32))


@pytest.fixture
def keys() -> MemoryKeys:
    return MemoryKeys()


def test_the_page_s_example_is_what_aes_gcm_gives_and_what_this_code_writes_and_reads() -> None:
    key, nonce, about = (unhexed(PAGE, name) for name in ("key", "nonce", "additional-data"))
    sealed = AESGCM(key).encrypt(nonce, unhexed(PAGE, "plaintext"), about)
    assert sealed == unhexed(PAGE, "ciphertext")
    assert additional_data(ID, "/customer/name") == about
    before, after = json.loads(text(PAGE, "payload")), json.loads(text(PAGE, "encrypted"))
    name = before["customer"]["name"]
    member = seal_member(name, "c-7f3a", key, nonce, about)
    assert before | {"customer": before["customer"] | {"name": member.document}} == after
    assert parse_member(after["customer"]["name"]) == member
    assert open_member(member, key, about) == name

    class PageKeys(MemoryKeys):
        def find(self, kid: str) -> bytes | None:
            return key if kid == "c-7f3a" else None

    assert decrypt_members(event(after), PageKeys()) == Decrypted(before)


@given(st.dictionaries(TEXT, VALUE, min_size=1, max_size=4), st.data())
def test_what_is_encrypted_is_read_again(payload: Json, data: st.DataObject) -> None:
    keys = MemoryKeys()
    names = data.draw(st.sets(st.sampled_from(sorted(payload))))
    assume("$enc" not in canonicalize(payload).decode())
    kids = {pointer_of([name]): data.draw(st.sampled_from(["a", "b"])) for name in names}
    found = encrypt_members(payload, kids, event_id=ID, keys=keys)
    assert {name for name in payload if canonicalize(found[name]) != canonicalize(payload[name])} == names
    read = decrypt_members(event(found), keys)
    assert (canonicalize(read.payload), read.destroyed, read.damaged) == (canonicalize(payload), (), ())


def test_members_of_two_people_are_read_until_one_key_is_destroyed(keys: MemoryKeys) -> None:
    before = copy.deepcopy(PAYLOAD)
    found = encrypt_members(PAYLOAD, KIDS, event_id=ID, keys=keys)
    assert before == PAYLOAD
    assert [word for word in ("Ada", "Bob") if word in json.dumps(found)] == []
    assert decrypt_members(event(found), keys) == Decrypted(PAYLOAD)
    keys.destroy("c-1")
    read = decrypt_members(event(found), keys)
    assert (read.destroyed, read.damaged) == (("/customer/name", "/customer/~0~1a/1"), ())
    assert read.payload == found | {"agent": "Bob"}
    with pytest.raises(KeyDestroyedError, match="c-1"):
        encrypt_members(PAYLOAD, KIDS, event_id=ID, keys=keys)


def test_the_whole_payload_may_be_one_member(keys: MemoryKeys) -> None:
    found = encrypt_members(PAYLOAD, {"": "c-1"}, event_id=ID, keys=keys)
    assert list(found) == ["$enc"]
    assert decrypt_members(event(found), keys) == Decrypted(PAYLOAD)


def test_nothing_is_the_same_twice(keys: MemoryKeys) -> None:
    one, other = (encrypt_members(PAYLOAD, KIDS, event_id=ID, keys=keys) for _ in range(2))
    assert {one[name] == other[name] for name in ("agent", "customer")} == {False}


def flipped(found: Json, name: str) -> None:
    data = bytearray(base64.b64decode(found["agent"]["$enc"][name]))
    data[-1] ^= 1
    found["agent"]["$enc"][name] = base64.b64encode(data).decode()


def other(found: Json, **changed: Any) -> None:
    found["agent"]["$enc"] |= changed


DAMAGE: list[tuple[str, Callable[[Json], None]]] = [
    ("another nonce", lambda found: flipped(found, "nonce")),
    ("another ciphertext", lambda found: flipped(found, "ct")),
    ("another person's key", lambda found: other(found, kid="c-1")),
    ("another place's member", lambda found: found.update(agent=found["customer"]["name"])),
    ("no ciphertext", lambda found: other(found, ct="")),
    ("a short nonce", lambda found: other(found, nonce="AAAA")),
    ("Base64 that is not canonical", lambda found: other(found, nonce="AAECAwQFBgcICQoL\n")),
    ("no text", lambda found: other(found, ct=7)),
    ("another version", lambda found: other(found, v=2)),
    ("no number", lambda found: other(found, v=True)),
    ("a member more", lambda found: other(found, more=1)),
    ("a member less", lambda found: found["agent"]["$enc"].pop("v")),
    ("a path for a key", lambda found: other(found, kid="../c-1")),
    ("no object", lambda found: found.update(agent={"$enc": "x"})),
]


@pytest.mark.parametrize(("_", "damage"), DAMAGE, ids=[name for name, _ in DAMAGE])
def test_a_member_that_was_changed_or_moved_is_damaged_and_the_others_are_read(
    keys: MemoryKeys, _: str, damage: Callable[[Json], None]
) -> None:
    found = encrypt_members(PAYLOAD, KIDS, event_id=ID, keys=keys)
    damage(found)
    read = decrypt_members(event(found), keys)
    assert (read.destroyed, read.damaged) == ((), ("/agent",))
    assert read.payload == PAYLOAD | {"agent": found["agent"]}


def test_a_member_of_another_event_is_damaged(keys: MemoryKeys) -> None:
    found = encrypt_members(PAYLOAD, KIDS, event_id=ID, keys=keys)
    assert decrypt_members(event(found, "another"), keys) == Decrypted(
        found, (), ("/agent", "/customer/name", "/customer/~0~1a/1")
    )


def test_what_only_looks_alike_is_data(keys: MemoryKeys) -> None:
    payload = {"a": {"$enc": 1, "more": 2}, "$enc": "x", "b": "$enc"}
    assert decrypt_members(event(payload), keys) == Decrypted(payload)
    assert (
        decrypt_members(event(encrypt_members(payload, {"/b": "k"}, event_id=ID, keys=keys)), keys).payload == payload
    )


def test_of_an_erased_event_nothing_is_read(keys: MemoryKeys) -> None:
    assert decrypt_members(erased(event(PAYLOAD)), keys) == Decrypted(None)


WRONG: list[tuple[Json, dict[str, str], str]] = [
    (PAYLOAD, {"/nobody": "k"}, "has nothing at /nobody"),
    (PAYLOAD, {"/customer/~0~1a/2": "k"}, "has nothing at /customer/~0~1a/2"),
    (PAYLOAD, {"/customer/~0~1a/01": "k"}, "has nothing"),
    (PAYLOAD, {"/n/x": "k"}, "has nothing"),
    (PAYLOAD, {"agent": "k"}, "is no RFC 6901 pointer"),
    (PAYLOAD, {"/customer/~a": "k"}, "is no RFC 6901 pointer"),
    (PAYLOAD, {"/customer": "k", "/customer/name": "k"}, "is inside of another"),
    (PAYLOAD, {"/agent": "k", "": "k"}, "is inside of another"),
    (PAYLOAD, {"/agent": "Bob Smith"}, "is no key's id"),
    (PAYLOAD, {"/agent": ".."}, "is no key's id"),
    ({"a": {"b": {"$enc": 1}}, "c": 2}, {"/c": "k"}, "/a/b is encrypted already"),
    ({"$enc": 1}, {}, "the payload is encrypted already"),
    ({"a": float("nan")}, {"/a": "k"}, "(?i)nan"),
]


@pytest.mark.parametrize(("payload", "kids", "why"), WRONG)
def test_what_can_not_be_encrypted_is_refused(keys: MemoryKeys, payload: Json, kids: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        encrypt_members(payload, kids, event_id=ID, keys=keys)


def test_an_id_that_no_event_has_is_refused(keys: MemoryKeys) -> None:
    for wrong in ("", "a b", "a\n/agent", "x" * 129):
        with pytest.raises(EvidenceError):
            encrypt_members(PAYLOAD, KIDS, event_id=wrong, keys=keys)


def test_a_key_of_another_length_is_no_key() -> None:
    for size in (0, 16, 31, 33):
        with pytest.raises(ValueError, match="32 bytes"):
            seal_member(1, "k", bytes(size), bytes(12), b"")


PAIR = st.tuples(st.from_regex(ID_PATTERN, fullmatch=True).map(lambda found: found.strip("\n") or "x"), st.lists(TEXT))


@given(PAIR, PAIR)
def test_no_two_places_have_the_same_additional_data(one: tuple[str, list[str]], two: tuple[str, list[str]]) -> None:
    same = additional_data(one[0], pointer_of(one[1])) == additional_data(two[0], pointer_of(two[1]))
    assert same == (one == two)


def test_a_folder_keeps_keys_for_all_processes_until_they_are_destroyed(tmp_path: Path) -> None:
    folder, keys = tmp_path / "keys", KeyFolder(tmp_path / "keys")
    assert keys.find("c-1") is None
    key = keys.make("c-1")
    assert len({key, keys.make("a-1"), bytes(32)}) == 3
    assert KeyFolder(folder).make("c-1") == KeyFolder(folder).find("c-1") == key
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    for kid in ("c-1", "c-1", "never-made"):
        keys.destroy(kid)
        assert KeyFolder(folder).find(kid) is None
        with pytest.raises(KeyDestroyedError):
            KeyFolder(folder).make(kid)
        assert (folder / kid).read_bytes() == b""
    assert keys.find("a-1") is not None
    for wrong in ("../a-1", "", "A", ".tmp-x", "a/b"):
        with pytest.raises(ValueError, match="is no key's id"):
            keys.make(wrong)
        with pytest.raises(ValueError, match="is no key's id"):
            keys.find(wrong)


def test_a_key_that_is_just_being_destroyed_is_gone_and_one_that_was_cut_off_is_told(tmp_path: Path) -> None:
    """A process may end between the two writes of destroying."""
    keys = KeyFolder(tmp_path)
    keys.make("k")
    (tmp_path / "k").write_bytes(bytes(32))
    assert keys.find("k") is None
    with pytest.raises(KeyDestroyedError):
        keys.make("k")
    (tmp_path / "k").write_bytes(b"x" * 31)
    with pytest.raises(ValueError, match="holds no key"):
        keys.find("k")
