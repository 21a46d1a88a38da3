"""What must hold whatever crashes: the promises made to clients and readers, and the form of the log.

`History` stands outside the system. It remembers every receipt and everything a reader was shown, and compares the
majority-committed state with them. It knows nothing of how the protocol works.
"""

from collections.abc import Mapping

from tests.model.replica_set import State


class ViolationError(Exception):
    """An invariant does not hold; the text says which."""


class History:
    """Every receipt given and every event shown during one run."""

    def __init__(self) -> None:
        self.receipts: dict[str, int] = {}
        self.shown: dict[int, str] = {}

    def acknowledge(self, event_id: str, seq: int) -> None:
        """Note a receipt; two receipts for one id must be equal."""
        if self.receipts.setdefault(event_id, seq) != seq:
            raise ViolationError(f"{event_id} has receipts for {self.receipts[event_id]} and {seq}")

    def show(self, size: int, events: Mapping[int, str]) -> None:
        """Note a reader's page of seq 0 .. `size` - 1; it has no gap and extends what was shown before."""
        for seq in range(size):
            if seq not in events:
                raise ViolationError(f"a reader misses seq {seq} of {size}")
            if self.shown.setdefault(seq, events[seq]) != events[seq]:
                raise ViolationError(f"a reader saw {self.shown[seq]} and then {events[seq]} at seq {seq}")

    def check(self, state: State, *, final: bool = False) -> None:
        """Compare a majority-committed state with all that was promised before it.

        A promise about a seq that the state doesn't reach yet counts as broken only at the end of the run.
        """
        log = log_of(state)
        promises = [*((seq, i) for i, seq in self.receipts.items()), *self.shown.items()]
        for seq, event_id in promises:
            if seq < len(log) and log[seq] != event_id:
                raise ViolationError(f"{event_id} was promised at seq {seq}, where {log[seq]} stands")
            if seq >= len(log) and final:
                raise ViolationError(f"{event_id} was promised at seq {seq} and is lost")
        if final and state.sequence.pending:
            raise ViolationError("the last settle left entries pending")


def log_of(state: State) -> list[str]:
    """The ids in order, settled and pending; raises `ViolationError` unless it is one log without gap or repeat."""
    size, settled, pending, _ = state.sequence
    if settled + len(pending) != size:
        raise ViolationError(f"{settled} settled and {len(pending)} pending make no size of {size}")
    log = []
    for seq in range(settled):
        if seq not in state.events:
            raise ViolationError(f"seq {seq} was trimmed and is not in events")
        log.append(state.events[seq])
    log.extend(pending)
    if len(set(log)) != len(log):
        raise ViolationError(f"an id is in the log twice: {log}")
    for event_id in log:
        if event_id in state.payloads and state.payloads[event_id] not in state.bodies:
            raise ViolationError(f"{event_id} is in the log and its payload is gone")
    for seq, event_id in state.events.items():
        if seq >= size or log[seq] != event_id:
            raise ViolationError(f"events has {event_id} at seq {seq}, which the log {log} has not")
    return log
