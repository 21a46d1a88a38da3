// "Verify in my browser": every step from an event to a signature by the pinned key, each with its bytes. It trusts neither the
// log nor its database: what the log sends is only what is to be checked.

import { EvidenceError, fromHex, same, toHex, utf8 } from './bytes.js'
import { canonicalize } from './canonical.js'
import { checkClaims, isErased, object, parseProof, whole } from './fields.js'
import { contentText, genesis, leaf, leafHash, payloadBytes, sha256 } from './hashing.js'
import { foldInclusion } from './merkle.js'
import { isOriginLine, parseCheckpoint, parseNote, signedBy, verifyNote } from './note.js'
import { UnsupportedError } from './webcrypto.js'

/**
 * @typedef {object} Step
 * @property {string} id payload, content, leaf, inclusion, signature or served
 * @property {string} title what was compared with what
 * @property {string} formula
 * @property {'passed' | 'failed' | 'skipped'} outcome
 * @property {string} input the bytes that were hashed or signed, in hexadecimal or, where they are text, as text
 * @property {string} computed
 * @property {string} claimed what the log says it is
 * @property {string} detail why it failed, or was skipped
 * @property {'unanchored' | 'no_key' | 'other_key' | 'erased'} [reason] why it was skipped, for who can do something about it
 */

/**
 * @typedef {object} Held what this browser holds the log to
 * @property {string} origin the log's name
 * @property {Awaited<ReturnType<import('./note.js').parseVkey>>[]} keys pinned for this chain of it
 */

/**
 * Each step starts from what the log says, so that the one step is red where a value is not what its parts give. All of
 * them passed: from the payload to the signature, everything follows from what was shown.
 *
 * @param {object} event the very object that is shown
 * @param {object | null | EvidenceError} proof as GET /api/v1/events/{event_id}/proof shows it; null: it is not anchored
 *   yet; an error: the log refuses to prove it
 * @param {Held | null} held null: the event's own hashes are checked, and no signature
 * @returns {Promise<Step[]>} in their order
 */
export const verifyEvent = async (event, proof, held) => [
  ...(await verifyHashes(event, held)),
  await step('inclusion', () => (proof === null ? NOT_YET : inclusionStep(event, proof))),
  await step('signature', () => (proof === null ? NOT_YET : proof instanceof Error ? NO_PROOF : signatureStep(event, proof, held))),
]

/** An event's own hashes: what can be checked of it with nothing else at hand. */
export const verifyHashes = async (event, held) => [
  await step('payload', () => payloadStep(event)),
  await step('content', () => contentStep(event)),
  await step('leaf', () => leafStep(event, held)),
]

/**
 * An event never changes. If the log now gives another one under the shown one's id, one of the two is not what was
 * logged, whichever it is that verifies.
 *
 * @param {object} event the very object that is shown
 * @param {object | EvidenceError} served what the log gives under its id now; an error: it gives none
 * @returns {Promise<Step>}
 */
export const compareServed = (event, served) =>
  step('served', () => {
    if (served instanceof Error) throw served
    const shown = canonicalize(event)
    return { input: shown, computed: shown, claimed: canonicalize(served), unlike: 'The log now gives another event under the id of the one shown.' }
  })

const NO_PROOF = { outcome: 'skipped', detail: 'There is no proof whose checkpoint could be checked.' }
const NOT_YET = { outcome: 'skipped', reason: 'unanchored', detail: 'No signed checkpoint covers this event yet. The next audit signs one.' }
const PIN = 'Pin it: take it from the operator, not from the log.'

const TITLES = {
  payload: ['Payload hash', 'SHA-256(salt || JCS(payload))'],
  content: ['Content hash', 'SHA-256(JCS({v, chain, event_id, …, payload_hash}))'],
  leaf: ['Hash in the chain', 'SHA-256(0x00 || seq || prev_hash || content_hash)'],
  inclusion: ['Inclusion in the tree', 'fold SHA-256(0x01 || left || right) up to the root (RFC 9162)'],
  signature: ['Signed checkpoint', 'Ed25519 over origin, size and root, by the key you pinned'],
  served: ['One event under its id', 'JCS(the event shown) = JCS(the event that the log gives under its id now)'],
}

/** Run one step; what is malformed fails it, and what this browser can't check is not checked. */
async function step(id, run) {
  const [title, formula] = TITLES[id]
  const shown = { id, title, formula, outcome: 'passed', input: '', computed: '', claimed: '', detail: '' }
  try {
    const { unlike = 'Your browser gets a different hash than the log claims.', ...found } = await run()
    Object.assign(shown, found)
    if (shown.computed !== shown.claimed) Object.assign(shown, { outcome: 'failed', detail: unlike })
  } catch (error) {
    if (!(error instanceof EvidenceError || error instanceof UnsupportedError)) throw error
    Object.assign(shown, { outcome: error instanceof UnsupportedError ? 'skipped' : 'failed', detail: error.message })
  }
  return shown
}

async function payloadStep(event) {
  if (isErased(event)) return { outcome: 'skipped', reason: 'erased', detail: `The payload was erased, by order of event ${whole(object(event.erased, 'erased').seq, 'its seq')} of the chain. Its hash stays, and so does all that rests on it.` }
  const bytes = payloadBytes(fromHex(event.salt, 'the salt', 16), object(event.payload, 'the payload'))
  return { input: toHex(bytes), computed: toHex(await sha256(bytes)), claimed: event.payload_hash }
}

async function contentStep(event) {
  checkClaims(event)
  const text = contentText(event, fromHex(event.payload_hash, 'payload_hash'))
  return { input: text, computed: toHex(await sha256(utf8(text))), claimed: event.content_hash }
}

const leafOf = (event) =>
  leaf(whole(event.seq, 'seq'), fromHex(event.prev_hash, 'prev_hash'), fromHex(event.content_hash, 'content_hash'))

/** A chain begins with the hash of the log's and the chain's name, so the first event shows which log it is of. */
async function leafStep(event, held) {
  const bytes = leafOf(event)
  if (held && event.seq === 0 && event.prev_hash !== toHex(await genesis(held.origin, event.chain))) {
    throw new EvidenceError(`the first event is not linked to the name of this log, ${held.origin}`)
  }
  return { input: toHex(bytes), computed: toHex(await leafHash(bytes)), claimed: event.hash }
}

async function inclusionStep(event, shown) {
  if (shown instanceof Error) throw shown
  const proof = parseProof(shown)
  if (proof.chain !== event.chain || proof.index !== event.seq) throw new EvidenceError('the proof is of another event')
  if (!same(proof.leaf, leafOf(event)) || toHex(proof.leafHash) !== event.hash) throw new EvidenceError('the proof is of another event in this place')
  const start = fromHex(event.hash, 'hash')
  const folded = await foldInclusion(BigInt(proof.index), BigInt(proof.size), start, proof.hashes)
  const input = folded.map(({ sibling, left }) => `${left ? 'left ' : 'right'} ${toHex(sibling)}`).join('\n')
  return { input, computed: toHex(folded.at(-1)?.hash ?? start), claimed: proof.root }
}

/** A key that nobody pinned may be the log's next one or anybody's: its signature says nothing, good or bad. */
const unknownKey = (origin, signers, keys) =>
  `It is signed by another key than those pinned for ${origin}: by ${signers.join(', ') || 'none'}, and pinned is ${keys.map(({ id }) => toHex(id)).join(', ')}. If the key was rotated, pin the new one too: take it from the operator, not from the log.`

/** A checkpoint counts only under the name of this log and chain: another log's says nothing of this one. */
async function signatureStep(event, shown, held) {
  const proof = parseProof(shown)
  if (proof.checkpoint === null) return { outcome: 'skipped', detail: 'The log has no checkpoint of this size.' }
  if (held === null) return { outcome: 'skipped', reason: 'no_key', detail: 'No key is pinned here.' }
  const note = parseNote(proof.checkpoint)
  const { origin, size, root } = parseCheckpoint(note.text)
  if (!isOriginLine(origin, held.origin, event.chain)) {
    throw new EvidenceError(`the checkpoint speaks for ${origin}, and not for the chain ${event.chain} of this log, ${held.origin}`)
  }
  if (size !== BigInt(proof.size)) throw new EvidenceError('the checkpoint is of another size')
  const keys = held.keys.filter(({ name }) => name === origin)
  if (keys.length === 0) return { outcome: 'skipped', reason: 'no_key', detail: `No key named ${origin} is pinned. ${PIN}` }
  const signature = await verifyNote(note, keys)
  if (signature === null) return { outcome: 'skipped', reason: 'other_key', detail: unknownKey(origin, signedBy(note, origin), keys) }
  return { input: `${note.text}\n${toHex(signature)}`, computed: proof.root, claimed: toHex(root) }
}
