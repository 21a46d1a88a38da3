"""The development server's erasing: carries out, within seconds of its anchor, what was ordered to be erased."""

import threading
from collections.abc import Callable

from eventlog.http.governance import carry_out
from eventlog.wiring.erase import EraseWiring

EVERY_SECONDS = 10.0
_ROUND_SECONDS = 60.0
_STOP_SECONDS = 5.0


class EraseThread(threading.Thread):
    """Goes over the orders every few seconds, where the cloud's function does each minute."""

    def __init__(self, wiring: EraseWiring, tell: Callable[[str], None], every: float = EVERY_SECONDS) -> None:
        super().__init__(name="erasing", daemon=True)
        self._wiring = wiring
        self._tell = tell
        self._every = every
        self._stopping = threading.Event()

    def run(self) -> None:
        """Work until ``stop`` is called; ``start`` runs this in the thread."""
        while not self._stopping.wait(self._every):
            try:
                done = carry_out(self._wiring, _ROUND_SECONDS)
            except Exception as error:  # whatever it is, the next round tries again
                if not self._stopping.is_set():
                    self._tell(f"What was to be erased could not be: {type(error).__name__}.")
                continue
            if done.get("emptied"):
                self._tell(f"Erased: {done['emptied']} events.")

    def stop(self) -> None:
        """End it; a round at work gets a moment, and what it has not done a later one does."""
        self._stopping.set()
        if self.is_alive():
            self.join(_STOP_SECONDS)
