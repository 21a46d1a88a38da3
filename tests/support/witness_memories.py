"""The places where a witness remembers, as tests read and damage them: a directory, and a bucket of moto's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from unittest.mock import patch
from uuid import uuid4

from eventlog.formats.note import VerifierKey
from eventlog.formats.witness_protocol import origin_hash
from eventlog.witness.directory import DirectoryState
from eventlog.witness.state import WitnessState

if TYPE_CHECKING:
    from eventlog.witness.s3 import S3State

WHERE: Any = {"LocationConstraint": "eu-central-1"}


class State(WitnessState, Protocol):
    """A witness's memory to which its operator adds logs."""

    def add_log(self, key: VerifierKey) -> bool: ...


class Memory(Protocol):
    """A place; ``state`` makes what reads and writes it, each time anew, as a process does when it starts."""

    @property
    def state(self) -> State: ...
    def put(self, origin: str, kind: str, data: bytes) -> None: ...
    def remove(self, origin: str, kind: str) -> None: ...
    def evidence(self, origin: str) -> dict[str, bytes]: ...


@dataclass(frozen=True)
class InDirectory:
    directory: Path

    @property
    def state(self) -> DirectoryState:
        return DirectoryState(self.directory)

    def put(self, origin: str, kind: str, data: bytes) -> None:
        (self.directory / f"{origin_hash(origin)}.{kind}").write_bytes(data)

    def remove(self, origin: str, kind: str) -> None:
        (self.directory / f"{origin_hash(origin)}.{kind}").unlink()

    def evidence(self, origin: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.directory / "evidence" / origin_hash(origin)).iterdir()}


@dataclass(frozen=True)
class InBucket:
    client: Any
    bucket: str

    @property
    def state(self) -> "S3State":
        from eventlog.witness.s3 import S3State  # boto3: half a second

        return S3State(self.client, self.bucket, "some/where")

    def put(self, origin: str, kind: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"some/where/{origin_hash(origin)}.{kind}", Body=data)

    def remove(self, origin: str, kind: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=f"some/where/{origin_hash(origin)}.{kind}")

    def evidence(self, origin: str) -> dict[str, bytes]:
        folder = f"some/where/evidence/{origin_hash(origin)}/"
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=folder)
        names = [each["Key"] for page in pages for each in page.get("Contents", ())]
        read = self.client.get_object
        return {name.removeprefix(folder): read(Bucket=self.bucket, Key=name)["Body"].read() for name in names}


@contextmanager
def some_s3() -> Iterator[Any]:
    """A client of moto's S3, which keeps to ``If-Match`` and ``If-None-Match`` of a put as S3 does."""
    import boto3
    from moto import mock_aws

    from tests.contract.conftest import ACCOUNT

    with patch.dict(os.environ, ACCOUNT), mock_aws():
        yield boto3.client("s3")


def new_bucket(client: Any) -> InBucket:
    """A bucket as the template makes it: versioned, as Object Lock demands."""
    name = f"witness-{uuid4().hex}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True, CreateBucketConfiguration=WHERE)
    return InBucket(client, name)
