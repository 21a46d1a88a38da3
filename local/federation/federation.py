"""Three organisations that witness each other, and what becomes visible when one of them rewrites its history."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import format_vkey, parse_note, verify_note
from eventlog.formats.policy import parse_policy
from eventlog.formats.witness_protocol import origin_hash
from eventlog.witness.directory import DirectoryState
from eventlog_client.errors import NotWitnessedError
from eventlog_client.witness_server import WitnessServer
from eventlog_client.witnesses import Witnesses
from local.federation.organisation import CHAIN, Organisation

NAMES = ("acme", "beta", "gamma")
QUORUM = 2


@dataclass(frozen=True)
class Federation:
    """The organisations, and an auditor's policy: each of the three witnesses, two of which must have cosigned."""

    organisations: tuple[Organisation, ...]
    policy: Path

    def verify(self, organisation: Organisation) -> str:
        """Say what an auditor makes of the checkpoint that an organisation shows: log key and policy, nothing else."""
        note = organisation.checkpoint()
        verify_note(parse_note(note), organisation.keys)
        try:
            witnessed = Witnesses(parse_policy(self.policy.read_bytes())).check(note)
        except NotWitnessedError as error:
            return f"REFUSED: signed by its log, but {error}"
        except EvidenceError as error:
            return f"REFUSED: {error}"
        return f"accepted: cosigned by {', '.join(witnessed.times)}"

    def kept_against(self, accused: Organisation) -> dict[str, int]:
        """Count what each other organisation's witness has kept of requests that contradict what it held."""
        log = origin_hash(f"{accused.origin}/{CHAIN}")
        others = (each for each in self.organisations if each is not accused)
        return {each.name: len(list((each.folder / "witness/evidence" / log).glob("*.held"))) for each in others}


@contextmanager
def federation(uri: str, client: MongoClient[dict[str, Any]], folder: Path) -> Iterator[Federation]:
    """Found the organisations, tell each witness of all logs, and each log of all witnesses; drop all in the end."""
    # Each organisation has its own copy of the policy, as a file of its own that its administrator may change; that of
    # the auditor is the same text. The addresses are known only once the witnesses run.
    with ExitStack() as stack:
        organisations = tuple(Organisation(name, uri, client, folder / name) for name in NAMES)
        servers = [(each, stack.enter_context(each.witness())) for each in organisations]
        for each in organisations:
            stack.callback(each.close)
        introduce(organisations, [server.state for _, server in servers])
        text = policy_of(servers)
        for path in (folder / "policy.txt", *(each.policy for each in organisations)):
            path.write_text(text, encoding="utf-8")
        yield Federation(organisations, folder / "policy.txt")


def introduce(organisations: tuple[Organisation, ...], memories: list[DirectoryState]) -> None:
    """Have the witnesses with these memories know the logs of all."""
    for memory in memories:
        for each in organisations:
            for key in each.keys:
                memory.add_log(key)


def policy_of(servers: list[tuple[Organisation, WitnessServer]]) -> str:
    """Write the policy: two of all witnesses."""
    lines = [f"witness {each.name} {format_vkey(each.witness_key.key)} {server.url}" for each, server in servers]
    names = " ".join(each.name for each, _ in servers)
    return "\n".join([*lines, f"group federation {QUORUM} {names}", "quorum federation", ""])
