// What a finding means in one plain sentence, and what to do next. Each kind in full: docs/findings.md.

import { h } from './dom.js'
import { number, own } from './format.js'
import { HOME } from './home.js'

const RESTORE = 'Restore an intact snapshot, or declare the restore if there was one.'
const WHO = 'Find out who could write to the database at that time, and change its passwords.'
const MEANING = {
  payload_mismatch: ['The payload is not the one that was logged.', WHO],
  payload_missing: ['The payload is gone, and nobody ordered that it be erased.', RESTORE],
  content_mismatch: ['Something of the event other than its payload was changed.', WHO],
  hash_mismatch: ['The stored hash is not what its parts give.', WHO],
  link_mismatch: ['The event is not linked to the one before it.', 'Look at the event before it too: one of the two was replaced or moved.'],
  node_mismatch: ['A stored node of the Merkle tree is wrong.', WHO],
  missing: ['An event is gone.', RESTORE],
  truncated: ['Events are gone at the end.', RESTORE],
  unexpected: ['Data was added that the log never accepted.', 'Find out which tool or person wrote it.'],
  sequence_mismatch: ['The document that decides the order contradicts the events.', 'Restore an intact snapshot.'],
  rewritten: ['History was rewritten: it differs from an earlier signed checkpoint or audit.', 'If it was a restore, declare it. Else compare with receipts and checkpoints that others hold.'],
  checkpoint_missing: ['A signed checkpoint is missing.', 'Check who can delete where checkpoints are kept, and restore them from a copy.'],
  checkpoint_invalid: ['A signed checkpoint was changed.', 'Check who can write where checkpoints are kept. If the key is yours and the checkpoint is not, the key is stolen.'],
  schema_mismatch: ['The database is set up so that queries can miss events.', 'Run make db-setup CHECK=1, which names what is wrong.'],
  index_mismatch: ['What searches find this event by is not what its payload says.', WHO],
  erasure_invalid: ['An order to erase is none, or a hold kept what was erased.', 'Find out who logged it, and who holds the governance key.'],
  altered: ['Somebody changed what is only ever added, even if it was put back since.', 'Ask the administrators who did it, at the time that is named.'],
}

/** "The payload is not the one that was logged." */
export const meaning = (kind) => own(MEANING, kind, [kind])[0]

/** What to do next, and where the runbook says the rest. */
export function nextStep(kind, chain) {
  const address = `${HOME}?${new URLSearchParams(chain ? { chain, view: 'runbook' } : { view: 'runbook' })}`
  return [own(MEANING, kind, ['', WHO])[1], ' ', h('a', { href: address }, 'What to do now')]
}

/** What stands of an event, where the event is shown. */
export const findingNotice = ({ kind, seq, detail }, chain) =>
  h(
    'div',
    { class: 'error', 'data-finding': kind },
    h('p', {}, h('strong', {}, 'TAMPERED: '), `event ${number(seq)} of `, h('bdi', {}, chain), `. ${meaning(kind)}`),
    h('p', {}, nextStep(kind, chain)),
    h('p', { class: 'small' }, h('code', {}, kind), ' ', detail),
  )
