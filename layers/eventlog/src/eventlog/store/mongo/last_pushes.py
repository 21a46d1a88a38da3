"""What a process remembers of its own last pushes."""

import time

from eventlog.formats.event import ChainState
from eventlog.store.mongo.push import PushImage

_SECONDS = 10.0
_CHAINS = 1000


class LastPushes:
    """The last acknowledged push of this process to each chain, and the chain's state after it.

    A look-up that starts from it needs one read less, and the next push less hashing. It is used for a few seconds
    only, since a database can be restored to an earlier state while a process runs.
    """

    def __init__(self) -> None:
        self._pushes: dict[str, tuple[float, PushImage, ChainState]] = {}

    def put(self, chain: str, image: PushImage, state: ChainState) -> None:
        """Remember a push, but not its entries. Once there are very many chains, forget all of them and begin again."""
        if len(self._pushes) >= _CHAINS:
            self._pushes.clear()
        self._pushes[chain] = (time.monotonic(), image._replace(own=()), state)

    def knows(self, chain: str) -> bool:
        """Whether this process has pushed to the chain lately, however long ago: so it exists, as chains do not go."""
        return chain in self._pushes

    def get(self, chain: str) -> tuple[PushImage, ChainState] | None:
        """Return the last push and the state after it, if it was a few seconds ago at most."""
        found = self._pushes.get(chain)
        if found is None or time.monotonic() - found[0] > _SECONDS:
            return None
        return found[1], found[2]

    def state_before(self, chain: str, image: PushImage, count: int) -> ChainState:
        """Return the state before the last ``count`` entries of a push's image.

        It is folded over the pending content hashes, from the settled state on or, which is less hashing, from the
        state after our last push.
        """
        state, known = image.settled, self.get(chain)
        if known and image.settled.size < known[1].size <= image.size - count:
            last, later = known
            # Our last push is still pending here, unless this is another chain of that name in a restored database:
            # then the entry at the same place has, but for a collision, another content hash.
            if image.pending[later.size - image.settled.size - 1] == last.pending[-1]:
                state = later
        state = state.copy()
        state.fold(image.pending[state.size - image.settled.size : len(image.pending) - count])
        return state
