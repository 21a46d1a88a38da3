"""A witness's memory in an S3 bucket: versioned, with Object Lock, and replaced under a condition (``If-Match``).

    <hash of the origin line>.log     its verifier keys, one a line; written by ``add_log`` alone
    <hash>.note                       what was cosigned last, as it is served; empty at first
    evidence/<hash>/<name>            a request that contradicts, and <name>.held: what was held then

S3 itself decides who wins: a put succeeds only if the object is still the one with the given ETag, or if there is none.
A delete marker hides an object and does not free its name: what was ever there under a hidden name is lost for good.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.formats.witness_protocol import origin_hash
from eventlog.witness.state import MAX_KEPT, Held, StateLostError, parse_keys

FRESH_SECONDS = 60.0
"""How long a list of the known logs is good: a log that was added is known everywhere after that."""
_ATTEMPTS = 5
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")
"""The object is not as the condition has it; or somebody else is putting it just now, and may still fail."""


@dataclass(frozen=True, slots=True)
class _Log:
    """A known log's keys as of an object's ETag; or, if they are damaged, how."""

    etag: str
    keys: tuple[VerifierKey, ...] | StateLostError

    def trusted(self) -> tuple[VerifierKey, ...]:
        if isinstance(self.keys, StateLostError):
            raise self.keys
        return self.keys


class S3State:
    """A ``WitnessState`` in a bucket, for any number of processes.

    Requests about unknown logs ask S3 for nothing but the list of known ones, at most each ``FRESH_SECONDS``.
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._bucket, self._clock = client, bucket, clock
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._logs: dict[str, _Log] = {}  # by the object's name
        self._listed: float | None = None

    def add_log(self, key: VerifierKey) -> bool:
        """Begin to trust a log's key; return False if it is trusted already.

        What is held of a known log stays as it is, so a log is trusted on first use once.

        Raises:
            StateLostError: the log is known, or was, and what was cosigned last of it is gone.
            OSError: S3 can't be reached, or others go on changing the same log.
        """
        # As in a directory the note comes before the keys: until these are there the log is unknown. Whoever loses a
        # put against another ``add_log`` looks again at what that one has left.
        origin = key.name
        for _ in range(_ATTEMPTS):
            found = self._get(self._name(origin, "log"))
            known = parse_keys(origin_hash(origin), found[0]) if found else ()
            self._begin(origin, known=bool(known))
            if key in known:
                return False
            lines = "".join(f"{format_vkey(each)}\n" for each in (*known, key)).encode()
            if self._put(self._name(origin, "log"), lines, found[1] if found else None):
                self._listed = None
                return True
        raise OSError(f"S3: others go on changing the keys of {origin}")

    def origins(self) -> list[str]:
        """See ``WitnessState.origins``."""
        return sorted(log.trusted()[0].name for log in self._known().values())

    def keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """See ``WitnessState.keys``."""
        log = self._known().get(self._name(origin, "log"))
        return log.trusted() if log else ()

    def read(self, origin: str) -> Held:
        """See ``WitnessState.read``."""
        found = self._get(self._name(origin, "note"))
        if found is None:
            raise StateLostError(f"what was cosigned last of {origin} is gone")
        return Held(found[0], found[1].encode())

    def swap(self, origin: str, version: bytes, note: bytes) -> bool:
        """See ``WitnessState.swap``.

        A put whose answer was lost is tried again by the client and then fails, though the first one was applied. That
        is an answer 409 with the new size: the cosignature stays here, and the log asks again.
        """
        return self._put(self._name(origin, "note"), note, version.decode())

    def keep(self, origin: str, name: str, request: bytes, held: bytes) -> None:
        """See ``WitnessState.keep``."""
        # Two at the same time may make it one too many, which harms nobody. Each has two objects.
        folder = f"{self._prefix}evidence/{origin_hash(origin)}/"
        kept = self._list(f"{folder}{name.partition('-')[0]}-", 2 * MAX_KEPT)
        if len(kept) < 2 * MAX_KEPT and self._put(f"{folder}{name}", request, None):
            self._put(f"{folder}{name}.held", held, None)

    def _begin(self, origin: str, *, known: bool) -> None:
        """See that what is held of a log is there; make it at size 0, if there never was anything under its name."""
        name = self._name(origin, "note")
        if self._get(name) is not None:
            return
        with _mapped():
            versions = self._client.list_object_versions(Bucket=self._bucket, Prefix=name, MaxKeys=1)
        # Nothing is known, and no version or delete marker is there: only then was nothing ever held. If another
        # ``add_log`` is faster its empty note is there, which is the same.
        if known or versions.get("Versions") or versions.get("DeleteMarkers"):
            self.read(origin)
        self._put(name, b"", None)

    def _known(self) -> dict[str, _Log]:
        """List the known logs again if the last list is too old; read the keys of those that are new or changed."""
        now = self._clock()
        if self._listed is None or now - self._listed >= FRESH_SECONDS:
            names = {name: etag for name, etag in self._list(self._prefix) if name.endswith(".log")}
            same = {name: log for name, log in self._logs.items() if names.get(name) == log.etag}
            self._logs = same | {name: self._read_log(name) for name in names.keys() - same.keys()}
            self._listed = now
        return self._logs

    def _read_log(self, name: str) -> _Log:
        # One log whose keys are damaged must not silence the witness about all others.
        data, etag = self._get(name) or (b"", "")
        try:
            return _Log(etag, parse_keys(name.removeprefix(self._prefix).removesuffix(".log"), data))
        except StateLostError as error:
            return _Log(etag, error)

    def _name(self, origin: str, kind: str) -> str:
        return f"{self._prefix}{origin_hash(origin)}.{kind}"

    def _get(self, name: str) -> tuple[bytes, str] | None:
        with _mapped():
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=name)
            except ClientError as error:
                if _code(error) == "NoSuchKey":
                    return None
                raise
            with found["Body"] as body:
                return bytes(body.read()), str(found["ETag"])

    def _put(self, name: str, data: bytes, etag: str | None) -> bool:
        """Put an object in place of the one with this ETag, or where there is none; return whether it was put."""
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with _mapped():
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=name,
                    Body=data,
                    ContentType="text/plain; charset=utf-8",
                    ChecksumAlgorithm="SHA256",
                    **condition,
                )
            except ClientError as error:
                if _code(error) in _TAKEN:
                    return False
                if _code(error) == "NoSuchKey":  # to be replaced, and hidden by a delete marker
                    raise StateLostError(f"{name} is gone") from error
                raise
        return True

    def _list(self, prefix: str, most: int | None = None) -> list[tuple[str, str]]:
        """List names and ETags of the objects with this prefix in one folder."""
        pages = self._client.get_paginator("list_objects_v2")
        with _mapped():
            found = pages.paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/", PaginationConfig={"MaxItems": most}
            )
            return [(each["Key"], each["ETag"]) for page in found for each in page.get("Contents", ())]


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise OSError(f"S3: {_code(error)} in {error.operation_name}") from error
    except BotoCoreError as error:
        raise OSError(f"S3: {type(error).__name__}") from error
