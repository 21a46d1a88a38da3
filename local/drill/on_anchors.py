"""Attacks on the anchors and their copies, and with a stolen signing key; and what others can see of them."""

from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.chain_names import REGISTRY
from eventlog.clock import now_millis
from eventlog.formats.anchor import Anchor, Seal, sign_anchor, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint
from eventlog.formats.note import Signer, format_note, sign_note
from local.drill.honest import ROUNDS, fresh_log
from local.drill.log import CHAINS, DrillLog
from local.drill.on_chains import remove_chain, remove_records, take
from local.drill.witness import refusal


def delete(log: DrillLog, *numbers: int) -> None:
    """Remove anchors of the chain main."""
    paths = log.files()
    for number in numbers:
        paths[number - 1].unlink()


def delete_one(log: DrillLog) -> None:
    """Delete the second anchor."""
    delete(log, 2)


def delete_two(log: DrillLog) -> None:
    """Delete the second and the third anchor."""
    delete(log, 2, 3)


def delete_newest(log: DrillLog) -> None:
    """Delete the newest anchor."""
    delete(log, 4)


def alter(log: DrillLog) -> None:
    """Make the second anchor, of 21 events, one of 20."""
    path = log.files()[1]
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data.replace(b"\n21\n", b"\n20\n"))


def add(log: DrillLog) -> None:
    """Add a next anchor that is right in every way, but signed by another key."""
    create_key_file(log.folder / ".own")
    newest = newest_anchor(log)
    data = sign_anchor(newest.checkpoint, next_seal(newest), [KeyFile(log.folder / ".own")])
    (log.folder / "main" / "000000000005.note").write_bytes(data)


def add_claim(log: DrillLog) -> None:
    """Claim the next anchor for a history that is not the log's, so that the audit signs it."""
    newest = newest_anchor(log)
    false = Checkpoint(newest.checkpoint.origin, newest.checkpoint.size + 1, bytes(32))
    claim = next_seal(newest).message(format_checkpoint(false))
    (log.folder / "main" / "000000000005.claim").write_bytes(claim)
    log.append("main", 3)


def alter_copy(log: DrillLog) -> None:
    """Change the root in the database's copy of the second anchor."""
    found = log.checkpoints.find_one({"chain": "main", "number": 2}) or {}
    origin, size, root, rest = found["note"].split("\n", 3)
    note = "\n".join((origin, size, root[::-1].replace("=", "A", 1)[:43] + "=", rest))
    log.checkpoints.update_one({"_id": found["_id"]}, {"$set": {"note": note}})


def rewrite_and_sign(log: DrillLog) -> None:
    """Rewrite all chains from the first event on, and sign every copy of an anchor again; the anchors stay."""
    forge_history(log, DrillLog(log.client, log.folder / ".forged", log.key, log.database))


def rewrite_all(log: DrillLog) -> None:
    """Rewrite all chains from the first event on, and make the anchors again too."""
    log.remove_anchors()
    # Whoever forges asks no witness meanwhile.
    forge_history(log, DrillLog(log.client, log.folder, log.key, log.database))


def roll_all_back(log: DrillLog) -> None:
    """Set everything back to a backup: database, copies, reports and anchors."""
    log.put_back(log.earlier, files=True)


def fork(log: DrillLog) -> None:
    """Show one client another end of the log than everybody else, signed with the stolen key."""
    now = log.back_up()
    with fresh_log(log.client, log.folder.parent, log.key) as other:
        other.put_back(now, files=True)
        other.append("main", 6)
        log.shown = sign_head(other, log.key)
    log.append("main", 6)


def hold_shown(log: DrillLog) -> list[str]:
    """Return what a monitor of the log finds when it gets the checkpoint that the client was shown."""
    found = log.monitor.look()
    accepted = log.monitor.accepts("main", log.shown)
    return found if accepted else [*found, "main has two signed roots for 45 events"]


def show_to_verifier(log: DrillLog) -> list[str]:
    """Return what a verifier with the witness's policy makes of the checkpoint that the client was shown."""
    why = None if log.policy is None else refusal(log.policy, log.shown)
    return [f"main {why}"] if why else []


def sign_head(log: DrillLog, key: Signer) -> bytes:
    """Sign a checkpoint of the chain main as it is."""
    found = log.store.chain("main")
    assert found is not None
    head = Checkpoint(f"{found.origin}/main", found.state.size, found.state.root)
    return format_note(sign_note(format_checkpoint(head), head.origin, [key]))


def forge_history(log: DrillLog, forger: DrillLog) -> None:
    """Rewrite all chains, and anchor them as often as they were, where the forger keeps anchors."""
    drafts = {chain: take(log, chain, 0) for chain in CHAINS}
    remove_chain(log, REGISTRY)
    remove_records(log)
    start = 0
    for count in ROUNDS:
        for chain in CHAINS:
            log.store.append(chain, drafts[chain][start : start + count])
        start += count
        forger.audit("incremental")


def newest_anchor(log: DrillLog) -> Anchor:
    """Return the newest anchor of the chain main."""
    return verify_anchor(log.files()[-1].read_bytes(), [log.key.public_key])


def next_seal(newest: Anchor) -> Seal:
    """Return the seal for the next anchor."""
    return Seal(newest.seal.number + 1, now_millis(), newest.digest)
