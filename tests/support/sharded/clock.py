"""The cluster time, which every server and every router tells the others."""

from threading import Lock
from typing import Any

from bson import Timestamp

from tests.support.sharded.wire import Command, Document


class ClusterClock:
    """The newest cluster time that any server has said: every command carries it on, so that causal reads wait."""

    def __init__(self) -> None:
        self._newest: Any = None
        self._lock = Lock()

    def saw(self, answer: Document) -> None:
        time = answer.get("$clusterTime")
        with self._lock:
            if time is not None and (self._newest is None or time["clusterTime"] > self._newest["clusterTime"]):
                self._newest = time

    def on(self, command: Command) -> Command:
        mine = command.fields.get("$clusterTime")
        newer = self._newest is not None and (mine is None or mine["clusterTime"] < self._newest["clusterTime"])
        return command.change(**{"$clusterTime": self._newest}) if newer else command

    @property
    def now(self) -> Timestamp:
        return Timestamp(0, 1) if self._newest is None else self._newest["clusterTime"]

    def stamp(self) -> Document:
        return {} if self._newest is None else {"$clusterTime": self._newest, "operationTime": self.now}
