"""Anchors in packs, with those of both chains in each, as if the drill's log had many chains."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.packed import PackedAnchors, PackPosition
from eventlog.anchors.places import PACKS
from eventlog.audit.auditor import Auditor
from eventlog.store.interface.anchor_copies import AnchorCopies


def anchors_in_packs(folder: Path, copies: AnchorCopies, position: Callable[[], PackPosition]) -> PackedAnchors:
    """Open the anchors in a directory, as a process sees them that has just begun."""
    objects, packs = DirectoryAnchors(folder), DirectoryAnchors(folder / PACKS)
    return PackedAnchors(objects, packs, copies, position, packing=True, wait_seconds=60)


def audit_at_once(auditor: Auditor, packed: PackedAnchors, chains: Sequence[str]) -> None:
    """Audit chains at one time, each by itself: their claims are put into one pack, and their anchors into the next."""
    with packed.gathering.expecting(len(chains)) as done, ThreadPoolExecutor(len(chains)) as threads:

        def audit(chain: str) -> None:
            try:
                auditor.run(auditor.start(chain, "incremental"), 60)
            finally:
                done()

        list(threads.map(audit, chains))
