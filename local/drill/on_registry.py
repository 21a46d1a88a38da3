"""Attacks on the registry, which names the chains that are missed when they vanish, and on its strike-offs."""

from eventlog.anchors.registry import Registry
from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.anchors.strike_offs import strike_off_key
from eventlog.chain_names import REGISTRY
from eventlog.clock import now_millis
from eventlog.formats.checkpoint import origin_line
from eventlog.formats.strike_off import StrikeOff, sign_strike_off
from local.drill.attack import INCREMENTAL, MONITOR, Attack
from local.drill.log import ORIGIN, DrillLog
from local.drill.on_chains import delete_without_trace

GHOST = "ghost"
REASON = "it never was a chain"
STRUCK = "strike-off note, event in the registry"


def plant(log: DrillLog) -> None:
    """Append the name of a chain that never was to the registry, as the audit appends names."""
    payload = {"chain": GHOST, "origin": ORIGIN, "genesis": ""}
    Registry(log.store, now_millis).write(REGISTRY, GHOST, "eventlog.chain_registered", payload)


def plant_and_say_struck_off(log: DrillLog) -> None:
    """Plant a name, and append the event that says that it was struck off, without the signed note."""
    plant(log)
    Registry(log.store, now_millis).strike_off(struck(log, GHOST))


def plant_and_strike_off(log: DrillLog) -> None:
    """Plant a name, which an operator then declares void."""
    plant(log)
    log.strike_off(GHOST, REASON)


def delete_and_forge_strike_off(log: DrillLog) -> None:
    """Remove every trace of a chain, and strike it off with a note that another key has signed."""
    delete_without_trace(log)
    create_key_file(log.folder / ".own")
    declared = struck(log, "payments")
    data = sign_strike_off(declared, [KeyFile(log.folder / ".own")])
    log.anchors.create(REGISTRY, strike_off_key(declared.hash), data)


def delete_and_strike_off(log: DrillLog) -> None:
    """Remove every trace of a chain, and strike it off with the stolen key."""
    delete_without_trace(log)
    log.strike_off("payments", REASON)


def struck(log: DrillLog, chain: str) -> StrikeOff:
    """Return the strike-off of a chain's entry, as an operator would declare it."""
    (entry,) = Registry(log.store, now_millis).entries(chain)
    return StrikeOff(origin_line(ORIGIN, REGISTRY), chain, entry.seq, entry.hash, now_millis(), REASON)


def read_strike_offs(log: DrillLog) -> list[str]:
    """Return the traces of a strike-off: the event in the registry and the signed note, which stay for good."""
    found = log.events.find({"chain": REGISTRY, "event_type": "eventlog.chain_struck_off"})
    note = (log.folder / REGISTRY / strike_off_key(struck(log, GHOST).hash)).exists()
    return [f"{REGISTRY}: {event['event_type']} {event['seq']}" for event in found if note]


ATTACKS = [
    Attack("put a name into the registry that is no chain's", "3", plant, INCREMENTAL, "ghost checkpoint_missing"),
    Attack(
        "the same, and say in the registry that it was struck off",
        "3",
        plant_and_say_struck_off,
        INCREMENTAL,
        "ghost checkpoint_missing",
    ),
    Attack(
        "the same, and an operator strikes it off",
        "3",
        plant_and_strike_off,
        STRUCK,
        "eventlog.registry: eventlog.chain_struck_off 7",
        read_strike_offs,
    ),
    Attack(
        "delete a chain and all traces, and strike it off with another key",
        "3 + anchors",
        delete_and_forge_strike_off,
        INCREMENTAL,
        "payments checkpoint_missing; eventlog.registry checkpoint_invalid",
    ),
    Attack(
        "delete a chain and all traces, and strike it off with the key",
        "5 + anchors",
        delete_and_strike_off,
        MONITOR,
        "payments contradicted",
    ),
]
"""In the order in which they are shown."""
