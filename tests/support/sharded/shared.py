"""One cluster for all processes of a run, and a router for each: a mongod that waits takes of the processor, too."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.sharded.cluster import ShardedCluster
from tests.support.sharded.router import Router

_GIVEN = "eventlog_cluster"


class SharedCluster:
    """For the process that hands out tests: starts a cluster before the first of the others, and stops it at the end.

    A plugin of pytest; its first hook is pytest-xdist's.
    """

    def __init__(self, journal_millis: int) -> None:
        self._journal_millis = journal_millis
        self._stack = ExitStack()
        self._cluster: ShardedCluster | None = None

    def pytest_configure_node(self, node: Any) -> None:
        """Tell a process what its router needs."""
        if self._cluster is None:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            self._cluster = self._stack.enter_context(ShardedCluster(folder, journal_millis=self._journal_millis))
        node.workerinput[_GIVEN] = (self._cluster.uri, self._cluster.servers)

    def pytest_unconfigure(self) -> None:
        self._stack.close()


@contextmanager
def shared_cluster(config: Any, folder: Path, journal_millis: int) -> Iterator[str]:
    """The URI of a router to the run's cluster; of one in this folder if this is the run's only process."""
    uri, servers = getattr(config, "workerinput", {}).get(_GIVEN, ("", ()))
    with ExitStack() as stack:
        if not uri:
            uri = stack.enter_context(ShardedCluster(folder, journal_millis=journal_millis)).uri
        elif servers:
            uri = stack.enter_context(Router(*map(tuple, servers))).uri
        yield uri
