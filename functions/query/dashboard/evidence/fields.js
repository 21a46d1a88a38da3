// The one form in which the log shows events and proofs. What is in another form is refused before anything is hashed:
// what would be shown could differ from what is hashed. The same rules in Python: formats/event_json.py, members.py.

import { EvidenceError, fromHex } from './bytes.js'

const MEMBERS = [
  ...['chain', 'content_hash', 'event_id', 'event_type', 'hash', 'payload', 'payload_hash', 'prev_hash', 'principal'],
  ...['received_at', 'salt', 'seq', 'source_id', 'timestamp'],
].join()
const ERASED_MEMBERS = [...MEMBERS.split(','), 'erased'].sort().join()
const CHAIN = /^[a-z0-9][a-z0-9._-]{0,63}$/
const ID = /^[A-Za-z0-9._~:-]{1,128}$/
const NAME = /^[^\u0000-\u001f\u007f-\u009f]{1,256}$/u
const TIME = /^[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}\.[0-9]{3}Z$/
const LEAF_BYTES = 72
const LONGEST_PROOF = 64

/** @param {unknown} value @param {string} what named in the error @returns {object} */
export function object(value, what) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new EvidenceError(`${what} is not a JSON object`)
  return value
}

/** @param {unknown} value @param {string} what named in the error @returns {number} 0 to 2^53 - 1 */
export function whole(value, what) {
  if (!Number.isSafeInteger(value) || value < 0) throw new EvidenceError(`${what} is not a whole number 0..2^53-1`)
  return value
}

/** @param {unknown} value @param {string} what named in the error @returns {string} */
export function text(value, what) {
  if (typeof value !== 'string' || !value.isWellFormed()) throw new EvidenceError(`${what} is not a string`)
  return value
}

/** @param {unknown} value @returns {string} the name of a chain */
export const chainName = (value) => matching(value, CHAIN, 'chain')

/** Whether an event says that it was erased: it has neither payload nor salt then, and names a later event that orders it. */
export const isErased = (event) => Object.hasOwn(event, 'erased')

/** Check all that an event claims beside its payload, hashes and place: exactly its members, each of its kind. */
export function checkClaims(event) {
  const members = isErased(event) ? ERASED_MEMBERS : MEMBERS
  if (Object.keys(event).sort().join() !== members) throw new EvidenceError(`an event has the members ${members}, all of them and no other`)
  if (isErased(event)) checkErased(event)
  chainName(event.chain)
  matching(event.event_id, ID, 'event_id')
  matching(event.event_type, NAME, 'event_type')
  matching(event.source_id, NAME, 'source_id')
  time(event.timestamp, 'timestamp')
  time(event.received_at, 'received_at')
  if (text(event.principal, 'principal') === '') throw new EvidenceError('principal is empty')
}

/**
 * @param {unknown} shown as GET /api/v1/events/{event_id}/proof shows it
 * @returns {{chain: string, index: number, size: number, leaf: Uint8Array, leafHash: Uint8Array, hashes: Uint8Array[], root: string, checkpoint: string | null}}
 */
export function parseProof(shown) {
  const { chain, leaf_index, tree_size, leaf, leaf_hash, hashes, root, checkpoint } = object(shown, 'the proof')
  if (!Array.isArray(hashes) || hashes.length > LONGEST_PROOF) throw new EvidenceError(`hashes is not a list of at most ${LONGEST_PROOF}`)
  fromHex(root, 'root')
  return {
    chain: chainName(chain),
    index: whole(leaf_index, 'leaf_index'),
    size: whole(tree_size, 'tree_size'),
    leaf: fromHex(leaf, 'leaf', LEAF_BYTES),
    leafHash: fromHex(leaf_hash, 'leaf_hash'),
    hashes: hashes.map((hash) => fromHex(hash, 'a hash of the proof')),
    root,
    checkpoint: checkpoint === null ? null : text(checkpoint, 'checkpoint'),
  }
}

function checkErased({ payload, salt, erased, seq }) {
  if (payload !== null || salt !== null) throw new EvidenceError('payload and salt of an erased event are not null')
  if (Object.keys(object(erased, 'erased')).sort().join() !== 'seq,time') throw new EvidenceError('erased has the members seq and time, both of them and no other')
  time(erased.time, 'the time of the erasure')
  if (whole(erased.seq, 'the seq of the erasure') <= whole(seq, 'seq')) throw new EvidenceError('an event is erased by a later one')
}

function matching(value, pattern, what) {
  if (!pattern.test(text(value, what))) throw new EvidenceError(`${what} is not one that the log gives`)
  return value
}

/** ECMAScript reads days that no month has as days of the next one, so what it read is written again. */
function time(value, what) {
  const date = new Date(TIME.test(text(value, what)) ? value : NaN)
  if (!(date.getTime() >= 0) || date.toISOString() !== value) throw new EvidenceError(`${what} is not a time as the log writes it`)
}
