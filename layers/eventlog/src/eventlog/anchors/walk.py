"""Reads a chain's anchors in the order of their numbers and reports what is wrong with them.

Each is verified by itself (format, signature, seal) and against the one before it: numbers without a gap, each linked
to the last, sizes and times that never go back, one root for one size. The database's copies must be the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, takewhile

from eventlog.anchors.keys import RESTORES, is_claim_key, is_note_key, is_restore_key, note_key, number_of, restore_key
from eventlog.anchors.store import AnchorStore
from eventlog.anchors.strike_offs import is_strike_off
from eventlog.formats.anchor import NO_ANCHOR, Anchor, verify_anchor
from eventlog.formats.checkpoint import origin_line
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import format_vkey
from eventlog.formats.restore import Restore, verify_restore
from eventlog.stored.anchor_copies import AnchorCopy, encode_copy
from eventlog.verify.findings import Finding

_READ_AHEAD = 64
_READERS = 8


@dataclass(frozen=True, slots=True)
class Reached:
    """What the next anchor has to follow. ``digest`` is None if the last one could not be read."""

    number: int = 0
    digest: bytes | None = NO_ANCHOR
    size: int = 0
    root: bytes | None = None
    time: int = 0
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a walk: the anchor, if it can be trusted, what is wrong, and what the next one has to follow.

    ``superseded``: a restore that was declared after it says that the chain need not extend it any more.
    """

    reached: Reached
    anchor: Anchor | None = None
    findings: list[Finding] = field(default_factory=list)
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class AnchorReader:
    """Reads one chain's anchors.

    ``origins``: what the log may be called. ``rotated``: whether the chain has the event that says that a key is used
    from an anchor on, given the anchor's number and the key.
    """

    store: AnchorStore
    chain: str
    public_keys: Sequence[bytes]
    origins: Sequence[str]
    rotated: Callable[[int, bytes], bool]

    def restores(self, listed: Sequence[str] | None = None) -> tuple[list[Restore], list[Finding]]:
        """Read the restores declared so far, in order; return them and what is wrong with others.

        ``listed``: the keys of the chain, or those from some anchor on, if the caller has listed them.
        """
        found: list[Restore] = []
        wrong: list[Finding] = []
        keys = self.store.keys(self.chain, RESTORES) if listed is None else filter(RESTORES.__lt__, listed)
        for key in takewhile(lambda key: key.startswith(RESTORES), keys):
            # The chain begins under line 1, so the first restore is for line 2. One that is not the next in line is
            # ignored, and reported: a note copied from another chain or place must not begin a new history.
            try:
                restore = verify_restore(self.store.read(self.chain, key) or b"", self.public_keys)
                lines = [origin_line(origin, self.chain, len(found) + 2) for origin in self.origins]
                if key != restore_key(len(found) + 2) or restore.origin not in lines:
                    raise EvidenceError("it is not the next one of this chain")
                found.append(restore)
            except EvidenceError as error:
                wrong.append(_invalid(f"{key}: {error}"))
        return found, wrong

    def walk(
        self,
        reached: Reached,
        restores: Sequence[Restore],
        copies: Iterable[tuple[int | None, bytes]] | None = None,
        last: int | None = None,
        copied: int = 0,
        *,
        listed: Sequence[str] | None = None,
    ) -> Iterator[Step]:
        """Walk over the anchors after ``reached``, one step for each and for what else is found there.

        Args:
            reached: What the first anchor has to follow.
            restores: Those declared so far.
            copies: The database's copies as stored, by number; None: they are not compared.
            last: The number of the last anchor that must be there. None: whatever is there is read, and nothing can be
                missing at the end.
            copied: Anchors after this number need not have a copy yet.
            listed: The keys after that of the anchor in ``reached``, if the caller has listed them.
        """
        beside = None if copies is None else _Copies(copies)
        for key, data in self._objects(note_key(reached.number), listed):
            if not is_note_key(key):  # no anchor, and nothing else that this version puts there
                yield Step(reached, None, [_invalid(f"{key} is not the name of an anchor")])
                continue
            number = number_of(key)
            if last is not None and number > last:  # made since the walk was planned: for the next audit
                break
            step = self._step(reached, number, data, restores)
            if beside is not None and number <= copied:
                pack = self.store.pack_of(self.chain, key)
                step.findings.extend(beside.check(self.chain, number, step.anchor, pack))
            reached = step.reached
            yield step
        if beside is not None and (wrong := beside.unnumbered()):
            yield Step(reached, None, [wrong])
        if last is not None and reached.number < last:
            yield Step(replace(reached, number=last, digest=None), None, [_missing(reached.number + 1, last)])

    def _objects(self, after: str, listed: Sequence[str] | None) -> Iterator[tuple[str, bytes]]:
        """Iterate over keys and what is there, without claims and notes of other kinds; some are read ahead."""
        found = self.store.keys(self.chain, after) if listed is None else iter(listed)
        keys = (key for key in found if not self._is_other(key))
        read = partial(self.store.read, self.chain)
        while batch := list(islice(keys, _READ_AHEAD)):
            # Threads of each batch alone: whoever stops midway leaves this generator to the garbage collector, which
            # may close it in any thread, one that is just starting too, and there it must not wait for threads.
            if len(batch) > 1:
                with ThreadPoolExecutor(_READERS) as readers:
                    contents = list(readers.map(read, batch))
            else:  # all that there is of most chains in a round is not worth a thread
                contents = list(map(read, batch))
            # What is listed and not there was removed meanwhile, or is not in the pack that it should be in.
            yield from ((key, data) for key, data in zip(batch, contents, strict=True) if data is not None)

    def _is_other(self, key: str) -> bool:
        return is_claim_key(key) or is_restore_key(key) or is_strike_off(self.chain, key)

    def _step(self, reached: Reached, number: int, data: bytes, restores: Sequence[Restore]) -> Step:
        """Verify one anchor against what it has to follow."""
        findings = [_missing(reached.number + 1, number - 1)] if number > reached.number + 1 else []
        if findings:  # its link can't be checked; sizes and times still must not go back
            reached = replace(reached, number=number - 1, digest=None)
        try:
            anchor = verify_anchor(data, self.public_keys)
            self._check(anchor, reached, number, restores)
        except EvidenceError as error:  # nothing it says is used: the next one follows the last good one, unlinked
            findings.append(_invalid(f"anchor {number}: {error}"))
            return Step(replace(reached, number=number, digest=None), None, findings)
        head, key = anchor.checkpoint, anchor.keys[0].public_key
        superseded = any(restore.supersedes(number, head.size) for restore in restores)
        # Another key seals from here on. The chain must say so, or a stolen retired key could make anchors.
        if not superseded and reached.key not in {None, key} and not self.rotated(number, key):
            findings.append(_invalid(f"anchor {number}: another key than before, and no event that says so"))
        after = Reached(number, anchor.digest, head.size, head.root, anchor.seal.time, key)
        return Step(after, anchor, findings, superseded)

    def _check(self, anchor: Anchor, reached: Reached, number: int, restores: Sequence[Restore]) -> None:
        """Check that an anchor follows the one before it.

        Raises:
            EvidenceError: it doesn't; the text says why.
        """
        head, seal = anchor.checkpoint, anchor.seal
        # Each restore declared so far has moved the chain to its next origin line.
        epoch = 1 + sum(restore.number <= number for restore in restores)
        # It must be in its own place, under this log's name, and linked to the very anchor that was read before it.
        if seal.number != number:
            raise EvidenceError(f"it was made as anchor {seal.number}")
        if head.origin not in {origin_line(origin, self.chain, epoch) for origin in self.origins}:
            raise EvidenceError(f"it is of another log or chain: {head.origin}")
        if reached.digest is not None and seal.previous != reached.digest:
            raise EvidenceError(f"it does not follow anchor {number - 1} as it is now")
        if seal.time < reached.time:
            raise EvidenceError("it is dated before the one before it")
        # The first anchor after a restore follows what the restore has kept; it need not extend the one before it. Of
        # several before that anchor the last one counts: an older backup was put back after the first was declared.
        begins = any(restore.number == number for restore in restores)
        least = next((r.kept_size for r in reversed(restores) if r.number == number), 0) if begins else reached.size
        if head.size < least:
            raise EvidenceError(f"it is of {head.size} events, fewer than the {least} of the one before it")
        if not begins and head.size == reached.size and reached.root not in {None, head.root}:
            raise EvidenceError(f"it has another root for size {head.size} than the one before it")


class _Copies:
    """The database's copies, taken in the order of their numbers; those without a number come at the end."""

    def __init__(self, stored: Iterable[tuple[int | None, bytes]]) -> None:
        self._stored = iter(stored)
        self._next = next(self._stored, None)

    def check(self, chain: str, number: int, anchor: Anchor | None, pack: int | None) -> Iterator[Finding]:
        """Compare the copy of the next anchor, which is in this pack, with it, and go on behind it."""
        there = False
        while self._next is not None and self._next[0] is not None and self._next[0] <= number:
            if self._next[0] == number:
                if there or (anchor is not None and self._next[1] != encode_copy(copy_of(chain, anchor, pack))):
                    yield _invalid(f"the database's copy of anchor {number} is not the same")
                there = True
            self._next = next(self._stored, None)
        if not there:
            detail = f"the database has no copy of anchor {number}"
            yield Finding("checkpoint_missing", None, str(number), None, detail)

    def unnumbered(self) -> Finding | None:
        """Return a finding if there is a copy without a number, which no anchor has made."""
        while self._next is not None and self._next[0] is not None:
            self._next = next(self._stored, None)
        return None if self._next is None else _invalid("the database has a copy of an anchor without a number")


def copy_of(chain: str, anchor: Anchor, pack: int | None = None) -> AnchorCopy:
    """Return the database's copy of an anchor that is kept in this pack, or in an object of its own.

    Of the keys that signed it only the first is kept, the one that sealed it: which others are trusted differs by
    reader, and a copy must not.
    """
    head, seal = anchor.checkpoint, anchor.seal
    return AnchorCopy(chain, seal.number, head.size, seal.time, anchor.data, (format_vkey(anchor.keys[0]),), pack)


def _invalid(detail: str) -> Finding:
    return Finding("checkpoint_invalid", None, None, None, detail)


def _missing(first: int, last: int) -> Finding:
    which = f"anchor {first} is" if first == last else f"anchors {first}..{last} are"
    return Finding("checkpoint_missing", None, str(last - first + 1), "0", f"{which} not where anchors are kept")
