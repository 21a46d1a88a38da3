"""A fault between a client and its router: a push is answered as if the router had given up, and is sent on later."""

from threading import Lock

from tests.support.sharded.wire import Command, Document, Listener, Peer


class Holding(Listener):
    """Passes everything on to a router, but keeps the next push back once it is told to."""

    def __init__(self, router: tuple[str, int]) -> None:
        super().__init__(lambda: _Passing(self, Peer(router)))
        self._router = router
        self._kept: Command | None = None
        self._waits = False
        self._lock = Lock()

    def hold(self) -> None:
        """Keep the next push, and answer code 50 to it."""
        self._waits = True

    def takes(self, command: Command) -> bool:
        """Whether this is the push to keep."""
        with self._lock:
            if not self._waits or "$push" not in command.fields.get("update", ()):
                return False
            self._waits, self._kept = False, command
            return True

    def deliver(self) -> Document:
        """Send on what was kept, and return what the router answers now, when nobody waits for it."""
        assert self._kept is not None
        late = Peer(self._router)
        try:
            return late.run(self._kept)
        finally:
            late.close()


class _Passing:
    def __init__(self, holding: Holding, router: Peer) -> None:
        self._holding = holding
        self._router = router

    def answer(self, command: Command) -> Document:
        if self._holding.takes(command):
            return {"ok": 0.0, "code": 50, "codeName": "MaxTimeMSExpired", "errmsg": "operation exceeded time limit"}
        return self._router.run(command)

    def close(self) -> None:
        self._router.close()
