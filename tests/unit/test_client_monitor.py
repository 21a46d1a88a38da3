"""The light monitor: an honest log always passes, and each way to change the past is found."""

import pytest

from eventlog.formats import hashing
from eventlog_client.errors import KeyNeededError, LogMisbehavedError, RefusedError
from eventlog_client.monitor import Monitor, entry_bundles
from eventlog_client.state import Trusted
from tests.support.anchoring import KEY, Key
from tests.support.each import each
from tests.support.memory_log import ORIGIN, VKEY, MemoryLog, signed


def check(log: MemoryLog, trusted: Trusted | None = None) -> Trusted:
    return Monitor(log, "main", [VKEY]).check(trusted)


@each("first", [0, 1, 255, 256, 257, 600])
@each("more", [0, 1, 255, 256, 300])
def test_an_honest_log_passes_however_it_grows(first: int, more: int) -> None:
    log = MemoryLog().grow(first)
    trusted = check(log)
    assert (trusted.checkpoint.size, trusted.head.root) == (first, log.head.root)
    again = check(log.grow(more), trusted)
    assert (again.checkpoint.size, again.head) == (first + more, log.head)


def test_an_honest_check_leaves_what_was_trusted_as_it_was() -> None:
    trusted = check(MemoryLog().grow(3))
    kept = trusted.head.copy()
    check(MemoryLog().grow(9), trusted)
    assert trusted.head == kept


def test_a_full_bundle_serves_where_the_partial_one_is_gone() -> None:
    log = MemoryLog().grow(100)
    trusted = check(log)
    older = log.checkpoint
    log.grow(200)
    log.checkpoint, log.only_full = older, True
    assert check(log).checkpoint == trusted.checkpoint


@each("place", [0, 5, 299])
@each("byte", [0, 7, 8, 39, 40, 71])
def test_any_changed_byte_of_a_leaf_is_found(place: int, byte: int) -> None:
    log = MemoryLog().grow(300)
    leaf = bytearray(log.leaves[place])
    leaf[byte] ^= 1
    log.leaves[place] = bytes(leaf)
    with pytest.raises(LogMisbehavedError):
        check(log)


def test_a_leaf_of_another_length_is_found() -> None:
    log = MemoryLog().grow(3)
    log.leaves[1] += b"x"
    with pytest.raises(LogMisbehavedError, match="the entry at 1 is 73 bytes long"):
        check(log)


def test_a_rewritten_history_is_found_even_with_all_hashes_and_the_signature_right() -> None:
    trusted = check(MemoryLog().grow(300))
    with pytest.raises(LogMisbehavedError, match="the entry at 300 does not follow") as caught:
        check(MemoryLog().grow(400, "forged"), trusted)
    assert len(caught.value.evidence) == 2


def test_two_roots_of_one_size_are_found_with_both_checkpoints_as_evidence() -> None:
    log, other = MemoryLog().grow(5), MemoryLog().grow(5, "forged")
    with pytest.raises(LogMisbehavedError, match="two roots for size 5") as caught:
        check(other, check(log))
    assert caught.value.evidence == [note.decode() for note in (log.checkpoint, other.checkpoint) if note]


def test_an_older_checkpoint_is_found() -> None:
    with pytest.raises(LogMisbehavedError, match="went back: it signed size 5 before, and shows size 4 now"):
        check(MemoryLog().grow(4), check(MemoryLog().grow(5)))


def test_an_older_checkpoint_of_a_server_that_lags_behind_for_a_moment_is_asked_for_again() -> None:
    log = MemoryLog().grow(5)
    older, trusted = log.checkpoint, check(log.grow(9))
    shown = iter([older, log.checkpoint])
    log.checkpoint = older

    def again() -> bool:
        log.checkpoint = next(shown)
        return True

    assert Monitor(log, "main", [VKEY], again=again).check(trusted).checkpoint == trusted.checkpoint
    log.checkpoint = older
    with pytest.raises(LogMisbehavedError, match="went back"):
        Monitor(log, "main", [VKEY], again=lambda: False).check(trusted)


def test_a_first_event_that_is_not_linked_to_the_log_s_name_is_found() -> None:
    log = MemoryLog()
    log.head.hash = hashing.genesis("example.com/other", "main")
    with pytest.raises(LogMisbehavedError, match="the entry at 0 does not follow"):
        check(log.grow(2))


def test_entries_that_are_withheld_are_found() -> None:
    log = MemoryLog().grow(300)
    del log.leaves[200:]
    with pytest.raises(LogMisbehavedError, match="does not show the entries 0 to 255, which its checkpoint covers"):
        check(log)


def test_a_log_that_shows_no_checkpoint_any_more_is_found() -> None:
    log = MemoryLog().grow(3)
    trusted = check(log)
    log.checkpoint = None
    with pytest.raises(LogMisbehavedError, match="no checkpoint of chain main any more; it had one of size 3"):
        check(log, trusted)


def test_a_log_without_any_checkpoint_yet_is_no_misconduct() -> None:
    with pytest.raises(RefusedError):
        check(MemoryLog())


@pytest.mark.parametrize(
    ("note", "words"),
    [
        (signed(0, bytes(32), key=Key(9)), "not signed by a key that is known here"),
        (signed(0, bytes(32), "example.com/log/other"), "the checkpoint is example.com/log/other's, and expected is"),
        (b"nonsense", "a note is"),
        (signed(0, bytes(32)), "don't lead to the root"),
    ],
)
def test_a_checkpoint_that_is_not_the_chain_s_is_found(note: bytes, words: str) -> None:
    log = MemoryLog(checkpoint=note)
    with pytest.raises(LogMisbehavedError, match=words):
        check(log)


def test_a_checkpoint_of_another_chain_proves_nothing_even_if_its_key_is_pinned() -> None:
    other = KEY.verifier(ORIGIN, "other")
    log = MemoryLog(checkpoint=signed(0, hashing.genesis(ORIGIN, "other"), other.name))
    with pytest.raises(LogMisbehavedError, match=r"the checkpoint is example\.com/log/other.s"):
        Monitor(log, "main", [VKEY, other]).check(None)


def test_a_restore_is_told_as_such_and_not_followed() -> None:
    log = MemoryLog().grow(3)
    trusted = check(log)
    log.checkpoint = signed(2, bytes(32), f"{ORIGIN}/main~2")
    with pytest.raises(LogMisbehavedError, match=r"speaks as example\.com/log/main~2 now.*restored a backup"):
        check(log, trusted)


def test_after_a_restore_the_new_key_begins_a_new_history() -> None:
    log = MemoryLog().grow(3)
    line = f"{ORIGIN}/main~2"
    log.checkpoint = signed(3, log.head.root, line)
    restored = VKEY.__class__(line, VKEY.public_key)
    assert Monitor(log, "main", [restored]).check(None).checkpoint.origin == line


def test_what_another_key_verified_is_not_trusted() -> None:
    trusted = check(MemoryLog().grow(3))
    with pytest.raises(KeyNeededError, match="which is not given now"):
        Monitor(MemoryLog().grow(3), "main", [Key(2).verifier(ORIGIN)]).check(trusted)


def test_the_bundles_of_a_range_are_those_that_hold_its_entries() -> None:
    shown = [[(tile.index, tile.width) for tile in entry_bundles(*ends)] for ends in ((0, 0), (0, 256), (255, 513))]
    assert shown == [[], [(0, 256)], [(0, 256), (1, 256), (2, 1)]]
