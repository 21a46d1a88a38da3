"""The table of the tamper drill: every attack, in the order in which it is shown (``attack.py`` says what one is)."""

from local.drill import on_anchors as anchors
from local.drill import on_database as database
from local.drill import on_heads, on_odd_rows, on_registry, on_rounds, on_schema, on_watch
from local.drill.attack import (
    FULL,
    INCREMENTAL,
    MONITOR,
    NOBODY,
    RECORD,
    REPORT,
    VERIFIER,
    WATCHER,
    Attack,
    read_record,
    read_skew,
)

ATTACKS = [
    Attack("edit a payload", "3", database.edit, FULL, "main payload_mismatch 17"),
    Attack("alter a payload that is stored apart", "3", database.alter_payload, FULL, "payments payload_mismatch 17"),
    Attack("remove a payload that is stored apart", "3", database.remove_payload, FULL, "payments payload_missing 17"),
    Attack(
        "swap two payloads that are stored apart",
        "3",
        database.swap_payloads,
        FULL,
        "payments payload_mismatch 17..18",
    ),
    Attack("edit a queryable field", "3", database.edit_field, FULL, "main content_mismatch 17"),
    Attack(
        "move every payload of a chain into its salt", "3", database.hide_payloads, INCREMENTAL, "main unexpected 38"
    ),
    Attack("move one byte of a payload into its salt", "3", database.shift_border, FULL, "main unexpected 17"),
    Attack(
        "move a payload that is not settled into its salt",
        "3",
        database.hide_pending_payload,
        INCREMENTAL,
        "main sequence_mismatch",
    ),
    Attack(
        "edit a payload, and have reports of it refused",
        "3",
        database.refuse_findings,
        INCREMENTAL,
        "database incomplete",
    ),
    Attack(
        "edit a payload, and have all reports refused", "3", database.refuse_reports, INCREMENTAL, "database incomplete"
    ),
    Attack("delete an event in the middle", "3", database.delete_middle, FULL, "main missing 17"),
    Attack(
        "insert an event",
        "3",
        database.insert,
        INCREMENTAL,
        "main sequence_mismatch; main content_mismatch 17; main link_mismatch 18; "
        "main hash_mismatch 18..39; main node_mismatch 18..39; main rewritten 38",
    ),
    Attack(
        "swap two events",
        "3",
        database.swap,
        FULL,
        "main link_mismatch 17..18, 20..21; main hash_mismatch 17, 20; main node_mismatch 17, 20",
    ),
    Attack("store an event twice", "3", database.duplicate, INCREMENTAL, "database incomplete"),
    Attack(
        "swap two chains",
        "3",
        database.swap_chains,
        INCREMENTAL,
        "main sequence_mismatch; main rewritten 38; payments sequence_mismatch; payments rewritten 38",
    ),
    Attack("cut the tail, events alone", "3", database.cut_events, INCREMENTAL, "main missing 38"),
    Attack("cut the tail with its sequence document", "3", database.cut_tail, INCREMENTAL, "main truncated 35"),
    Attack(
        "set the sequence document back",
        "3",
        database.set_sequence_back,
        INCREMENTAL,
        "main unexpected 35..38; main truncated 35",
    ),
    Attack(
        "delete all events and sequence documents",
        "3",
        database.delete_all,
        INCREMENTAL,
        "main truncated 0; payments truncated 0; eventlog.registry truncated 0",
    ),
    Attack("delete a chain", "3", database.delete_chain, INCREMENTAL, "payments truncated 0"),
    Attack("delete a chain with copies and reports", "3", database.delete_records, INCREMENTAL, "payments truncated 0"),
    Attack(
        "the same, and its anchors",
        "3 + anchors",
        database.delete_without_trace,
        INCREMENTAL,
        "payments checkpoint_missing",
    ),
    Attack("rewrite a chain with fresh hashes", "4", database.rewrite_chain, INCREMENTAL, "main rewritten 38"),
    Attack(
        "rewrite it, beside a damaged mark of what was verified",
        "4",
        database.rewrite_beside_a_damaged_mark,
        INCREMENTAL,
        "main unexpected; main rewritten 38",
    ),
    Attack(
        "rewrite it from the middle, without reports", "4", database.rewrite_middle, INCREMENTAL, "main rewritten 38"
    ),
    Attack(
        "rewrite and re-sign all but the anchors",
        "5",
        anchors.rewrite_and_sign,
        INCREMENTAL,
        "main rewritten 38; payments rewritten 38; eventlog.registry rewritten 5",
    ),
    Attack(
        "roll back to a backup",
        "2",
        database.roll_back,
        INCREMENTAL,
        "main truncated 21; payments truncated 21; eventlog.registry truncated 4",
    ),
    Attack(
        "roll back to a backup, then go on",
        "2",
        database.roll_back_and_append,
        INCREMENTAL,
        "main rewritten 38; payments rewritten 38; eventlog.registry truncated 4",
    ),
    Attack(
        "roll back to a backup, and declare it",
        "2",
        database.roll_back_and_declare,
        RECORD,
        "main~2: eventlog.chain_restored 21; payments~2: eventlog.chain_restored 21",
        read_record,
    ),
    Attack("delete an anchor", "3 + anchors", anchors.delete_one, FULL, "main checkpoint_missing"),
    Attack("delete two anchors in a row", "3 + anchors", anchors.delete_two, FULL, "main checkpoint_missing"),
    Attack("delete the newest anchor", "3 + anchors", anchors.delete_newest, INCREMENTAL, "main checkpoint_missing"),
    Attack("alter an anchor", "3 + anchors", anchors.alter, FULL, "main checkpoint_invalid"),
    Attack("put an anchor of one's own", "3 + anchors", anchors.add, INCREMENTAL, "main checkpoint_invalid"),
    Attack(
        "claim the next anchor for another history", "3 + anchors", anchors.add_claim, INCREMENTAL, "main rewritten 39"
    ),
    Attack("alter the database's copy of an anchor", "3", anchors.alter_copy, FULL, "main checkpoint_invalid"),
    Attack(
        "claim that an event is from long ago", "1", database.backdate, REPORT, "main skew 39: 3650 days", read_skew
    ),
    Attack(
        "two heads: sign another end for others",
        "5",
        anchors.fork,
        MONITOR,
        "main has two signed roots for 45 events",
        anchors.hold_shown,
    ),
    Attack(
        "roll everything back, anchors too",
        "3 + anchors",
        anchors.roll_all_back,
        MONITOR,
        "eventlog.registry contradicted; main contradicted; payments contradicted",
    ),
    Attack(
        "rewrite and re-sign everything, anchors too",
        "5 + anchors",
        anchors.rewrite_all,
        MONITOR,
        "eventlog.registry contradicted; main contradicted; payments contradicted",
    ),
    Attack(
        "two heads, of a log with a witness",
        "5",
        anchors.fork,
        VERIFIER,
        "main no quorum",
        anchors.show_to_verifier,
        witnessed=True,
    ),
    Attack(
        "roll everything back, anchors too, of a log with a witness",
        "3 + anchors",
        anchors.roll_all_back,
        INCREMENTAL,
        "main truncated 21; payments truncated 21; eventlog.registry truncated 4",
        witnessed=True,
    ),
    Attack(
        "rewrite and re-sign everything, anchors too, of a log with a witness",
        "5 + anchors",
        anchors.rewrite_all,
        INCREMENTAL,
        "main rewritten 38; payments rewritten 38; eventlog.registry rewritten 5",
        witnessed=True,
    ),
    *on_registry.ATTACKS,
    *on_heads.ATTACKS,
    *on_schema.ATTACKS,
    *on_odd_rows.ATTACKS,
    *on_rounds.ATTACKS,
    Attack("rewrite events that are not anchored yet", "4", database.rewrite_tail, WATCHER, "main altered"),
    Attack("never send an event", "1", database.send_nothing, NOBODY),
    *on_watch.ATTACKS,
]
