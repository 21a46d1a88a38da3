// "Verify here": every step from an event to a signature by the pinned key, each with its bytes. It trusts neither the
// log nor its database: what the log sends is only what is to be checked.

import { EvidenceError, fromHex, toHex, utf8 } from './bytes.js'
import { contentText, leaf, leafHash, payloadBytes, sha256 } from './hashing.js'
import { foldInclusion } from './merkle.js'
import { parseCheckpoint, parseNote, verifySignature } from './note.js'

/**
 * @typedef {object} Step
 * @property {string} id payload, content, leaf, inclusion or signature
 * @property {string} title what was compared with what
 * @property {string} formula
 * @property {'passed' | 'failed' | 'skipped'} outcome
 * @property {string} input the bytes that were hashed or signed, in hexadecimal or, where they are text, as text
 * @property {string} computed
 * @property {string} claimed what the log says it is
 * @property {string} detail why it failed, or was skipped
 */

/**
 * Each step starts from what the log says, so that the one step is red where a value is not what its parts give. All of
 * them passed: from the payload to the signature, everything follows from what was shown.
 *
 * @param {object} event as GET /api/v1/events/{event_id} shows it
 * @param {object | null | EvidenceError} proof as GET /api/v1/events/{event_id}/proof shows it; null: it is not anchored
 *   yet; an error: the log refuses to prove it
 * @param {Awaited<ReturnType<import('./note.js').parseVkey>> | null} key the pinned key; null: none is
 * @returns {Promise<Step[]>} in their order
 */
export const verifyEvent = async (event, proof, key) => [
  await step('payload', () => payloadStep(event)),
  await step('content', () => contentStep(event)),
  await step('leaf', () => leafStep(event)),
  await step('inclusion', () => (proof === null ? NOT_YET : inclusionStep(event, proof))),
  await step('signature', () => (proof === null ? NOT_YET : proof instanceof Error ? NO_PROOF : signatureStep(event, proof, key))),
]

const NO_PROOF = { outcome: 'skipped', detail: 'There is no proof whose checkpoint could be checked.' }
const NOT_YET = { outcome: 'skipped', detail: 'No signed checkpoint covers this event yet. The next audit signs one.' }

const TITLES = {
  payload: ['Payload hash', 'SHA-256(salt || JCS(payload))'],
  content: ['Content hash', 'SHA-256(JCS({v, chain, event_id, …, payload_hash}))'],
  leaf: ['Hash in the chain', 'SHA-256(0x00 || seq || prev_hash || content_hash)'],
  inclusion: ['Inclusion in the tree', 'fold SHA-256(0x01 || left || right) up to the root (RFC 9162)'],
  signature: ['Signed checkpoint', 'Ed25519 over origin, size and root, by the key you pinned'],
}

/** Run one step; what is malformed fails it. */
async function step(id, run) {
  const [title, formula] = TITLES[id]
  const shown = { id, title, formula, outcome: 'passed', input: '', computed: '', claimed: '', detail: '' }
  try {
    Object.assign(shown, await run())
    if (shown.computed !== shown.claimed) {
      Object.assign(shown, { outcome: 'failed', detail: 'What was computed here is not what the log says.' })
    }
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error
    Object.assign(shown, { outcome: 'failed', detail: error.message })
  }
  return shown
}

async function payloadStep(event) {
  if (typeof event.payload !== 'object' || event.payload === null || Array.isArray(event.payload)) {
    throw new EvidenceError('the payload is not a JSON object')
  }
  const bytes = payloadBytes(fromHex(event.salt, 'the salt', 16), event.payload)
  return { input: toHex(bytes), computed: toHex(await sha256(bytes)), claimed: event.payload_hash }
}

async function contentStep(event) {
  const text = contentText(event, fromHex(event.payload_hash, 'payload_hash'))
  return { input: text, computed: toHex(await sha256(utf8(text))), claimed: event.content_hash }
}

async function leafStep(event) {
  if (!Number.isSafeInteger(event.seq) || event.seq < 0) throw new EvidenceError('the seq is not a place in a chain')
  const parts = [fromHex(event.prev_hash, 'prev_hash'), fromHex(event.content_hash, 'content_hash')]
  const bytes = leaf(event.seq, ...parts)
  return { input: toHex(bytes), computed: toHex(await leafHash(bytes)), claimed: event.hash }
}

async function inclusionStep(event, proof) {
  if (proof instanceof Error) throw proof
  if (proof.leaf_index !== event.seq) throw new EvidenceError('the proof is of another event')
  const hashes = proof.hashes.map((text) => fromHex(text, 'a hash of the proof'))
  const start = fromHex(event.hash, 'hash')
  const folded = await foldInclusion(BigInt(event.seq), BigInt(proof.tree_size), start, hashes)
  const input = folded.map(({ sibling, left }) => `${left ? 'left ' : 'right'} ${toHex(sibling)}`).join('\n')
  return { input, computed: toHex(folded.at(-1)?.hash ?? start), claimed: proof.root }
}

async function signatureStep(event, proof, key) {
  if (proof.checkpoint === null) return { outcome: 'skipped', detail: 'The log has no checkpoint of this size.' }
  if (key === null) return { outcome: 'skipped', detail: 'Pin a key: take it from the operator, not from the log.' }
  const note = parseNote(proof.checkpoint)
  const { origin, size, root } = parseCheckpoint(note.text)
  if (origin !== key.name) throw new EvidenceError(`the checkpoint speaks for ${origin}, the pinned key for ${key.name}`)
  if (!isChain(origin, event.chain)) throw new EvidenceError('the checkpoint is of another chain')
  if (size !== BigInt(proof.tree_size)) throw new EvidenceError('the checkpoint is of another size')
  const signature = await verifySignature(note, key)
  return { input: `${note.text}\n${toHex(signature)}`, computed: proof.root, claimed: toHex(root) }
}

/** An origin line ends with the chain, and after a declared restore with `~2`, `~3`, … (docs/operations.md). */
const isChain = (origin, chain) => origin.replace(/~[1-9][0-9]*$/, '').endsWith(`/${chain}`)
