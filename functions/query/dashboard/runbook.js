// What to do when tampering was found: the section of docs/runbook.md, line by line; a test holds the two together.

export const TAMPERING_FOUND = [
  "`tampering-found`: an audit has findings: the log, or its anchors, are not what they were. An honest log never gets a finding, not even through crashes and failovers.",
  "The alarm stays on for 24 hours after the last finding and then goes out by itself, because an audit that starts at a newer anchor does not see an old edit again.",
  "**That it went out does not mean that anything was solved**: [open-findings](#open-findings) stays on until a full audit is clean.",
  "",
  "Look first, before anything is changed:",
  "",
  "1. `errors ChainAuditLogGroup 24h`: the lines `tampering found` name chain, audit and kinds.",
  "2. `get \"/api/v1/audits/AUDIT_ID\"`: `findings` with `kind`, `seq`, `expected`, `actual`, `detail`. `get \"/api/v1/audits?chain=CHAIN&limit=100\"` shows since when.",
  "3. `altered`: `detail` says what was done to which row, collection or index, and when; look there in MongoDB's own audit log. If everything else is intact, it was put back, and the question is who saw it meanwhile.",
  "   Was it one of you: rows set aside by hand, a restore in place, an index dropped? Then put that on record; nothing else is to be done.",
  "4. Was a backup restored, or a database copied or moved? `truncated`, and `rewritten` once new events have come, is what that looks like.",
  "5. From a machine outside, with the key and the state that a monitor holds: `eventlog verify-log \"$API\" --key \"$KEY\" --state CHAIN.state`, and",
  "   `eventlog compare` with receipts and checkpoints that others have kept.",
  "",
  "Do: keep everything (a snapshot of the database, the reports, the anchors); change nothing in place. Find out who could write to the database at that time (its audit",
  "log; the passwords of ingest and audit are in the secrets), and change the passwords ([below](#rotate-a-secret)). Go through",
  "[An audit found something](operations.md#an-audit-found-something). If it was a restore, [declare it](#restore-from-a-backup). If `eventlog.registry` names a chain that never was one, [strike it off](operations.md#a-name-in-the-registry-that-is-no-chains). If there are anchors that nobody here has made, signed by your key, then the key was [stolen](#a-stolen-key).",
  "",
  "Over when a full audit (`curl -X POST -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{\"chain\":\"CHAIN\",\"mode\":\"full\"}' \"$API/api/v1/audits\"`) is `intact` and it is on record what had happened. That takes a",
  "restore of an intact snapshot, unless the finding was about rows that were never acknowledged.",
]
