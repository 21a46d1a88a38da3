"""Opens the anchor store that the settings name."""

from typing import Protocol

from eventlog.anchors.store import AnchorStore

COSIGNATURES = "_cosignatures"
"""The folder, beside the chains', in which witnesses' lines are kept. No chain can have this name, so to whatever reads
anchors it is not there."""

PACKS = "_packs"
"""As above: in it are the packs of anchors (``packed.py``)."""


class AnchorPlace(AnchorStore, Protocol):
    """A store beside whose chains there are folders with other stores in them."""

    def beside(self, folder: str) -> AnchorStore:
        """Open the store in a folder; what this one has opened serves both."""
        ...


def open_anchors(location: str, retention_days: int) -> AnchorPlace:
    """Open the store at ``s3://bucket[/prefix]``, or in a directory.

    Objects in S3 can't be removed before so many days are over.
    """
    if not location.startswith("s3://"):
        from eventlog.anchors.directory import DirectoryAnchors  # noqa: PLC0415  0.4 ms, and a function has no directory

        return DirectoryAnchors(location)
    from eventlog.anchors.s3 import S3Anchors, connect  # noqa: PLC0415  boto3: 530 ms

    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return S3Anchors(connect(), bucket, prefix, retention_days)
