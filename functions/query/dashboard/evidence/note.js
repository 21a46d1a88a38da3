// Signed notes, verifier keys and checkpoints (C2SP signed-note and tlog-checkpoint). Ed25519, type 0x01, alone.

import { EvidenceError, fromBase64, join, same, toHex, utf8 } from './bytes.js'
import { checkPublicKey } from './ed25519.js'
import { sha256 } from './hashing.js'
import { UnsupportedError, subtle } from './webcrypto.js'

export const NAME = /^[^\s+\u0000-\u001f\u007f]+$/u
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/
const CHAIN = /^[a-z0-9][a-z0-9._-]{0,63}$/
const DECIMAL = /^(0|[1-9][0-9]{0,18})$/
const MAX_NOTE = 1 << 20
const MAX_SIGNATURES = 64
const MAX_SIZE = 2n ** 63n - 1n

/**
 * The name of a key, which is also the first line of what it signs, is the log's, a slash and the chain; after a declared
 * restore `~2`, `~3` and so on follow (docs/operations.md).
 *
 * @param {string} line
 * @param {string} origin the log's name
 * @param {string | null} chain null: any of its chains
 * @returns {boolean}
 */
export function isOriginLine(line, origin, chain = null) {
  if (!line.startsWith(`${origin}/`)) return false
  const [, name, epoch] = /^([^~]*)(?:~([1-9][0-9]{0,18}))?$/.exec(line.slice(origin.length + 1)) ?? []
  return name !== undefined && CHAIN.test(name) && epoch !== '1' && (chain === null || name === chain)
}

/**
 * @param {string} text name+id+key
 * @returns {Promise<{name: string, id: Uint8Array, publicKey: Uint8Array}>}
 */
export async function parseVkey(text) {
  const [name, id, ...rest] = text.trim().split('+')
  const material = fromBase64(rest.join('+'), 'the verifier key')
  if (!NAME.test(name)) throw new EvidenceError('a verifier key begins with a name without blanks and plus signs')
  if (material.length !== 33 || material[0] !== 1) throw new EvidenceError('the verifier key is not an Ed25519 key')
  checkPublicKey(material.slice(1))
  const key = await keyNamed(name, material.slice(1))
  if (toHex(key.id) !== id) throw new EvidenceError("the verifier key's id is not that of its name and key")
  return key
}

/**
 * A public key under another name: the id that its signature lines begin with follows from name, type and key.
 *
 * @param {string} name
 * @param {Uint8Array} publicKey
 * @param {Uint8Array} type of the signature; Ed25519 (0x01) if nothing is said
 */
export async function keyNamed(name, publicKey, type = Uint8Array.of(1)) {
  return { name, id: (await sha256(join(utf8(`${name}\n`), type, publicKey))).slice(0, 4), publicKey }
}

/**
 * @param {string} note
 * @returns {{text: string, signatures: {name: string, id: Uint8Array, value: Uint8Array}[]}} nothing in it is verified
 */
export function parseNote(note) {
  if (utf8(note).length > MAX_NOTE) throw new EvidenceError(`the note is longer than ${MAX_NOTE} bytes`)
  if (CONTROL.test(note) || !note.isWellFormed()) throw new EvidenceError('the note has a control character, or is not valid Unicode')
  const at = note.lastIndexOf('\n\n')
  const lines = note.slice(at + 2).split('\n')
  if (at < 0 || lines.pop() !== '' || lines.length === 0) {
    throw new EvidenceError('a note is a text, a blank line and signature lines that end with a newline')
  }
  if (lines.length > MAX_SIGNATURES) throw new EvidenceError(`the note has more than ${MAX_SIGNATURES} signatures`)
  return { text: note.slice(0, at + 1), signatures: lines.map(parseSignature) }
}

function parseSignature(line) {
  const [dash, name, value, ...rest] = line.split(' ')
  if (dash !== '\u2014' || !NAME.test(name ?? '') || value === undefined || rest.length > 0) {
    throw new EvidenceError('a signature line is a dash, a name and Base 64')
  }
  const decoded = fromBase64(value, 'a signature')
  if (decoded.length < 5) throw new EvidenceError('a signature is too short')
  return { name, id: decoded.slice(0, 4), value: decoded.slice(4) }
}

/**
 * @param {string} text a note's
 * @returns {{origin: string, size: bigint, root: Uint8Array}}
 */
export function parseCheckpoint(text) {
  const lines = text.split('\n').slice(0, -1)
  if (!text.endsWith('\n') || lines.length < 3 || lines.includes('')) {
    throw new EvidenceError('a checkpoint is at least three lines, none empty: origin, size, root')
  }
  const root = fromBase64(lines[2], 'the root')
  if (!DECIMAL.test(lines[1]) || BigInt(lines[1]) > MAX_SIZE) throw new EvidenceError('the size is not a decimal number below 2^63')
  if (root.length !== 32) throw new EvidenceError('the root must have 32 bytes')
  return { origin: lines[0], size: BigInt(lines[1]), root }
}

/**
 * Check that the holder of the key signed the note under the key's name.
 *
 * @param {ReturnType<typeof parseNote>} note
 * @param {Awaited<ReturnType<typeof parseVkey>>} key
 * @returns {Promise<Uint8Array>} the signature
 */
export async function verifySignature(note, key) {
  const found = linesOf(note, key)
  if (found.length !== 1) throw new EvidenceError(`the note is not signed by the pinned key of ${key.name}`)
  await verifyEd25519(key, found[0].value, utf8(note.text))
  return found[0].value
}

/** Check an Ed25519 signature of a message (RFC 8032). */
export async function verifyEd25519(key, signature, message) {
  const imported = await subtle().importKey('raw', key.publicKey, 'Ed25519', false, ['verify']).catch(unsupported)
  if (!(await subtle().verify('Ed25519', imported, signature, message))) {
    throw new EvidenceError(`the signature of ${key.name} is not valid`)
  }
}

function unsupported(error) {
  if (error.name === 'NotSupportedError') throw new UnsupportedError('This browser can’t check Ed25519 signatures.')
  throw error
}

/**
 * Check the signatures by these keys; lines of unknown keys are ignored, and a known key's wrong signature refuses all.
 *
 * @param {ReturnType<typeof parseNote>} note
 * @param {Awaited<ReturnType<typeof parseVkey>>[]} keys of one name, any of which may have signed: keys are rotated
 * @returns {Promise<Uint8Array | null>} the first one's signature; null: none of these keys signed, which proves nothing
 */
export async function verifyNote(note, keys) {
  const signed = keys.filter((key) => linesOf(note, key).length > 0)
  const signatures = await Promise.all(signed.map((key) => verifySignature(note, key)))
  return signatures[0] ?? null
}

/** The ids of the keys that signed under a name, as verifier keys have them; nothing of it is verified. */
export const signedBy = (note, name) => note.signatures.filter((one) => one.name === name).map(({ id }) => toHex(id))

/** The lines of a key, by its name and id; nothing of them is verified. */
export const linesOf = (note, key) => note.signatures.filter(({ name, id }) => name === key.name && same(id, key.id))
