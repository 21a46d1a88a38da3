"""Crypto-shredding: members of payloads encrypted with a key a subject, so that without the key all copies are erased.

The log knows nothing of it, and MUST NOT have the keys: whoever runs it could read what was encrypted. Where they are
kept is the application's choice (``SubjectKeys``); a folder of files is here.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from eventlog.files import create_file
from eventlog.formats.canonical import canonicalize
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event, is_erased
from eventlog.formats.members import parse_json
from eventlog_client.encrypted_members import (
    KEY_BYTES,
    KID,
    NONCE_BYTES,
    additional_data,
    is_encrypted,
    open_member,
    parse_member,
    pointer_of,
    seal_member,
)
from eventlog_client.errors import ClientError

_Place = tuple[str, ...]


class KeyDestroyedError(ClientError):
    """The key of this id was destroyed, and is never made again: what it had encrypted must stay unreadable."""


class SubjectKeys(Protocol):
    """Keys by their ids, 32 random bytes each. Which id is whose is the application's: no name is in it."""

    def find(self, kid: str) -> bytes | None:
        """Return a key; None if it was destroyed, or there never was one."""
        ...

    def make(self, kid: str) -> bytes:
        """Return a key, made if there never was one.

        Raises:
            KeyDestroyedError: it was destroyed.
        """
        ...

    def destroy(self, kid: str) -> None:
        """Destroy a key for good, whether there is one or not."""
        ...


class MemoryKeys:
    """``SubjectKeys`` of this process, for tests; gone with it."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes | None] = {}

    def find(self, kid: str) -> bytes | None:
        """See ``SubjectKeys.find``."""
        return self._keys.get(kid)

    def make(self, kid: str) -> bytes:
        """See ``SubjectKeys.make``."""
        return _there(kid, self._keys.setdefault(kid, os.urandom(KEY_BYTES)))

    def destroy(self, kid: str) -> None:
        """See ``SubjectKeys.destroy``."""
        self._keys[kid] = None


class KeyFolder:
    """``SubjectKeys`` in a folder, a file a key that its owner alone may read; an empty one was destroyed.

    Its bytes are overwritten first, which a copying file system, a snapshot or a backup of the folder makes worthless:
    keep it out of those. Any process may use it at the same time. Methods may raise OSError.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    def find(self, kid: str) -> bytes | None:
        """See ``SubjectKeys.find``."""
        try:
            key = self._file(kid).read_bytes()
        except FileNotFoundError:
            return None
        if len(key) not in {0, KEY_BYTES}:
            raise ValueError(f"{self._file(kid)} holds no key: it has {len(key)} bytes")
        return key if any(key) else None  # zeros: it is just being destroyed

    def make(self, kid: str) -> bytes:
        """See ``SubjectKeys.make``."""
        create_file(self._file(kid), os.urandom(KEY_BYTES), 0o600)
        return _there(kid, self.find(kid))

    def destroy(self, kid: str) -> None:
        """See ``SubjectKeys.destroy``."""
        if create_file(self._file(kid), b"", 0o600):
            return
        with self._file(kid).open("r+b", buffering=0) as file:
            file.write(bytes(KEY_BYTES))
            os.fsync(file.fileno())
            file.truncate(0)
            os.fsync(file.fileno())

    def _file(self, kid: str) -> Path:
        return self._path / _checked(kid)


class Decrypted(NamedTuple):
    """A payload as it can be read; None if the event was erased.

    Members that can't be decrypted are left as they are: ``destroyed`` has the pointers of those whose keys are gone,
    ``damaged`` of those that no key here has encrypted for this event and place.
    """

    payload: dict[str, Any] | None
    destroyed: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


def encrypt_members(
    payload: Mapping[str, Any], kids: Mapping[str, str], *, event_id: str, keys: SubjectKeys
) -> dict[str, Any]:
    """Return a payload in which the members at some places are encrypted; append it with this very ``event_id``.

    ``kids`` has the id of the key for each RFC 6901 pointer, such as ``{"/customer": "c-7f3a"}``. Each call encrypts
    with other nonces, so an append that is tried again has to send the same result again.

    Raises:
        ValueError: a pointer leads nowhere or into another, or an object is ``{"$enc": ...}`` already; or as
            ``canonicalize``.
        EvidenceError: no event has such an id.
        KeyDestroyedError: one of the keys was destroyed.
    """
    # A copy through canonical text: plain objects and arrays, and only what JSON has.
    whole = {"": parse_json(canonicalize(dict(payload)))}
    if taken := [pointer_of(place[1:]) for place, _ in _encrypted(whole, ())]:
        raise ValueError(f"{taken[0] or 'the payload'} is encrypted already, or looks as if it were")
    places = {("", *_tokens(pointer)): _checked(kid) for pointer, kid in kids.items()}
    for place, kid in places.items():
        if any(other != place and place[: len(other)] == other for other in places):
            raise ValueError(f"{pointer_of(place[1:])} is inside of another member that is to be encrypted")
        parent, last = _at(whole, place)
        about = additional_data(event_id, pointer_of(place[1:]))
        parent[last] = seal_member(parent[last], kid, keys.make(kid), os.urandom(NONCE_BYTES), about).document
    encrypted: dict[str, Any] = whole[""]
    return encrypted


def decrypt_members(event: Event, keys: SubjectKeys) -> Decrypted:
    """Read an event's payload with all members that the keys can decrypt. It asks the log nothing."""
    if is_erased(event.entry):
        return Decrypted(None)
    whole = {"": parse_json(event.entry.payload.encode())}
    destroyed, damaged = list[str](), list[str]()
    for place, value in [*_encrypted(whole, ())]:
        pointer = pointer_of(place[1:])
        try:
            member = parse_member(value)
            if (key := keys.find(member.kid)) is None:
                destroyed.append(pointer)
                continue
            plain = open_member(member, key, additional_data(event.entry.event_id, pointer))
        except EvidenceError:
            damaged.append(pointer)
            continue
        parent, last = _at(whole, place)
        parent[last] = plain
    return Decrypted(whole[""], tuple(destroyed), tuple(damaged))


def _encrypted(value: Any, place: _Place) -> Iterator[tuple[_Place, Any]]:
    """Yield what stands for encrypted members, each with its place. What is inside of one is not looked at."""
    if is_encrypted(value):
        yield place, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _encrypted(inner, (*place, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _encrypted(inner, (*place, str(number)))


def _at(whole: Any, place: _Place) -> tuple[Any, Any]:
    """Return the object or array in which a place is, and its name or number there."""
    *way, last = place
    for token in way:
        whole = whole[_step(whole, token, place)]
    return whole, _step(whole, last, place)


def _step(value: Any, token: str, place: _Place) -> Any:
    if isinstance(value, dict) and token in value:
        return token
    if isinstance(value, list) and token in map(str, range(len(value))):
        return int(token)
    raise ValueError(f"the payload has nothing at {pointer_of(place[1:])}")


def _tokens(pointer: str) -> _Place:
    tokens = tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
    if pointer_of(tokens) != pointer:
        raise ValueError(f"{pointer!r} is no RFC 6901 pointer")
    return tokens


def _checked(kid: str) -> str:
    if not KID.fullmatch(kid):
        raise ValueError(f"{kid!r} is no key's id: {KID.pattern}")
    return kid


def _there(kid: str, key: bytes | None) -> bytes:
    if key is None:
        raise KeyDestroyedError(f"the key {kid} was destroyed")
    return key
