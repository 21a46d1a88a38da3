// Cosignatures (C2SP tlog-cosignature): lines below a checkpoint by witnesses, each with the time at which it saw that the
// checkpoint extends all that it saw before. Ed25519 (0x04) is checked here; ML-DSA-44 (0x06) browsers can't check.
// The same in Python: formats/cosignature.py.

import { EvidenceError, fromBase64, join, same, toHex, utf8 } from './bytes.js'
import { checkPublicKey } from './ed25519.js'
import { sha256 } from './hashing.js'
import { NAME, verifyEd25519 } from './note.js'

const SIZES = { 4: 32, 6: 1312 }
const VALUES = { 4: 8 + 64, 6: 8 + 2420 }
const MAX_TIME = 2n ** 63n - 1n

/**
 * @param {string} text name+id+key of a witness
 * @returns {Promise<{name: string, id: Uint8Array, publicKey: Uint8Array, kind: number}>}
 */
export async function parseCosignerVkey(text) {
  const [name, id, ...rest] = text.split('+')
  const material = fromBase64(rest.join('+'), 'the verifier key')
  if (!NAME.test(name)) throw new EvidenceError('a verifier key begins with a name without blanks and plus signs')
  const [kind, publicKey] = [material[0], material.slice(1)]
  if (publicKey.length !== SIZES[kind]) throw new EvidenceError('the verifier key is not a witness’s key, of type 0x04 (Ed25519) or 0x06 (ML-DSA-44)')
  if (kind === 4) checkPublicKey(publicKey)
  const found = (await sha256(join(utf8(`${name}\n`), material))).slice(0, 4)
  if (toHex(found) !== id) throw new EvidenceError("the verifier key's id is not that of its name and key")
  return { name, id: found, publicKey, kind }
}

/**
 * Check the lines of these witnesses; those of others are ignored. A wrong line of a known one refuses the whole note.
 *
 * @param {{text: string, signatures: {name: string, id: Uint8Array, value: Uint8Array}[]}} note whose own signature the caller checks
 * @param {{name: string, key: Awaited<ReturnType<typeof parseCosignerVkey>>}[]} witnesses as a policy names them
 * @returns {Promise<{name: string, time: bigint, checked: boolean}[]>} in their order; time in seconds since 1970; checked: false for ML-DSA-44
 */
export async function verifyCosignatures(note, witnesses) {
  const found = await Promise.all(witnesses.map(({ name, key }) => cosigned(note, name, key)))
  return found.filter(Boolean)
}

async function cosigned(note, name, key) {
  const lines = note.signatures.filter((line) => line.name === key.name && same(line.id, key.id))
  if (lines.length === 0) return null
  if (lines.length > 1) throw new EvidenceError(`the note has two signatures of the key ${key.name}`)
  const { value } = lines[0]
  if (value.length !== VALUES[key.kind]) throw new EvidenceError(`the cosignature of ${key.name} has another length`)
  const seconds = new DataView(value.buffer, value.byteOffset).getBigUint64(0)
  if (seconds > MAX_TIME) throw new EvidenceError("a cosignature's time is below 2^63")
  const checked = key.kind === 4
  if (checked) await verifyEd25519(key, value.slice(8), utf8(`cosignature/v1\ntime ${seconds}\n${note.text}`))
  return { name, time: seconds, checked }
}
