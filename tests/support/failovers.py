"""A replica set whose primary loses its office: killed, stepped down or stopped."""

import os
import signal
from collections.abc import Callable

from pymongo.errors import NotPrimaryError

from local.mongod.embedded import EmbeddedMongo, is_primary, wait_until


def primary_of(nodes: list[EmbeddedMongo]) -> EmbeddedMongo:
    found: list[EmbeddedMongo] = []

    def look() -> bool:
        for node in nodes:
            with node.client() as client:
                if node.is_running() and is_primary(client):
                    found.append(node)
        return bool(found)

    wait_until("a primary", look)
    return found[-1]


def fail_over(nodes: list[EmbeddedMongo], how: str, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Takes the primary its office by "kill", "step down" or "pause"; returns when another has it and all run again.

    ``meanwhile`` is called when another has it and before the old one comes back.
    """
    primary = primary_of(nodes)
    others = [node for node in nodes if node is not primary]
    with primary.client() as client:
        pid = client.admin.command("serverStatus")["pid"]
        try:
            if how == "step down":
                client.admin.command("replSetStepDown", 5, secondaryCatchUpPeriodSecs=0, force=True)
        except NotPrimaryError:  # it has lost its office since it was found, as the machine is busy: another has it
            fail_over(nodes, how, meanwhile)
            return
    if how == "kill":
        primary.kill()
    elif how == "pause":  # it wakes up with writes that arrived meanwhile, and takes itself for the primary
        os.kill(pid, signal.SIGSTOP)  # and not before the client is closed, which would wait for its answer
    primary_of(others)
    meanwhile()
    if how == "kill":
        primary.start()
    elif how == "pause":
        os.kill(pid, signal.SIGCONT)
