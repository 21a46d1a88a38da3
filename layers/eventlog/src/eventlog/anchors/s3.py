"""Anchors in an S3 bucket with Object Lock: none can be overwritten or removed before its retention ends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from eventlog.anchors.store import MAX_READ, check_names, is_name, names
from eventlog.store.errors import AnchorsUnavailableError

MARGIN = timedelta(hours=1)
"""More than the days of retention: a policy of the bucket can demand these days, whatever S3 makes of a part of one."""
ATTEMPTS = 5
"""How often an object is put while S3 reports that another put of the same key is under way."""
_PAUSE = 0.05


def connect() -> Any:
    """Make an S3 client whose calls fail while an audit function still has time to report it.

    Raises:
        AnchorsUnavailableError: boto3 finds no region or no credentials.
    """
    retries: Any = {"mode": "standard", "total_max_attempts": 3}
    with _mapped():
        return boto3.client("s3", config=Config(connect_timeout=3, read_timeout=10, retries=retries))


class S3Anchors:
    """``AnchorStore`` in objects ``<prefix>/<chain>/<key>``, written once (``If-None-Match: *``) in compliance mode.

    The bucket is versioned, as Object Lock demands. A delete without a version leaves a delete marker: then the object
    is not there for ``read`` and ``keys``, which is how an audit notices, and ``create`` would make a second version;
    the first one stays, and is seen again when the marker is deleted. (template.yaml has a policy against markers.)
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "", retention_days: int = 365) -> None:
        self._client, self._bucket, self._days = client, bucket, retention_days
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def beside(self, folder: str) -> "S3Anchors":
        """See ``AnchorPlace.beside``: one client for both, as to make one takes longer than a request."""
        return S3Anchors(self._client, self._bucket, f"{self._prefix}{folder}", self._days)

    def chains(self) -> Iterator[str]:
        """See ``AnchorStore.chains``."""
        for page in self._pages(Prefix=self._prefix):
            folders = [found["Prefix"][len(self._prefix) : -1] for found in page.get("CommonPrefixes", ())]
            yield from names(folders)

    def keys(self, chain: str, after: str = "") -> Iterator[str]:
        """See ``AnchorStore.keys``; S3 lists keys in this order itself."""
        if not is_name(chain):
            return
        folder = self._key(chain, "")
        for page in self._pages(Prefix=folder, StartAfter=folder + after):
            yield from names(found["Key"][len(folder) :] for found in page.get("Contents", ()))

    def read(self, chain: str, key: str) -> bytes | None:
        """See ``AnchorStore.read``."""
        if not (is_name(chain) and is_name(key)):
            return None
        with _mapped():
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._key(chain, key))
            except ClientError as error:
                if _code(error) == "NoSuchKey":
                    return None
                raise
            with found["Body"] as body:
                return bytes(body.read(MAX_READ))

    def pack_of(self, chain: str, key: str) -> int | None:  # noqa: ARG002  there are none
        """See ``AnchorStore.pack_of``."""
        return None

    def create(self, chain: str, key: str, data: bytes) -> bool:
        """See ``AnchorStore.create``; a conflict with another put is waited out, up to ``ATTEMPTS`` times."""
        check_names(chain, key)
        with _mapped():
            for attempt in range(ATTEMPTS):
                if attempt:
                    time.sleep(_PAUSE * 2**attempt)
                created = self._put(self._key(chain, key), data)
                if created is not None:
                    return created
        raise AnchorsUnavailableError("anchors: S3 goes on reporting a conflict (ConditionalRequestConflict)")

    def _put(self, key: str, data: bytes) -> bool | None:
        """Put an object; return whether this call created it. None: another put is under way, and may still fail."""
        # S3 itself decides who creates the object: the condition is that there is none under this key.
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=data,
                ContentType="text/plain; charset=utf-8",
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(days=self._days) + MARGIN,
            )
        except ClientError as error:
            if _code(error) == "PreconditionFailed":  # there is an object under this key
                return False
            if _code(error) == "ConditionalRequestConflict":
                return None
            raise
        return True

    def _key(self, chain: str, key: str) -> str:
        return f"{self._prefix}{chain}/{key}"

    def _pages(self, **request: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("list_objects_v2")
        with _mapped():
            yield from pages.paginate(Bucket=self._bucket, Delimiter="/", **request)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise AnchorsUnavailableError(f"anchors: S3: {_code(error)} in {error.operation_name}") from error
    except BotoCoreError as error:
        raise AnchorsUnavailableError(f"anchors: S3: {type(error).__name__}") from error
