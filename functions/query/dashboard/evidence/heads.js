// A chain's head under the registry's commitment to the heads of all chains (docs/formats/heads.md): its anchor, the
// anchor's leaf under the commitment's root, the commitment's event, and that event under the registry's checkpoint.
// The same in Python: formats/head_proof.py, formats/heads.py, formats/anchor.py.

import { EvidenceError, fromHex, join, same, toHex, utf8 } from './bytes.js'
import { canonicalize } from './canonical.js'
import { chainName, object, text, whole } from './fields.js'
import { leafHash, sha256 } from './hashing.js'
import { foldInclusion } from './merkle.js'
import { isOriginLine, keyNamed, linesOf, parseCheckpoint, parseNote, verifyEd25519, verifyNote } from './note.js'
import { verifyHashes } from './steps.js'

export const REGISTRY = 'eventlog.registry'
const ANCHORED = 'eventlog.anchored'
const SEAL = join(Uint8Array.of(0xff), utf8('eventlog/anchor/v1')) // C2SP signed-note, "Signature types"
const SEAL_BYTES = 8 + 8 + 32 + 64
const MAX_TIME = 253402300799999
const LONGEST = 64

/**
 * Check every step from the chain's anchor up to the registry's checkpoint, as far as the keys go.
 *
 * @param {unknown} shown as GET /api/v1/chains/{chain}/head shows it
 * @param {string} chain whose head it must be
 * @param {string} origin the log's name
 * @param {Uint8Array[]} publicKeys the log's, which the viewer trusts; all chains of a log share them
 * @returns {Promise<{size: bigint, number: number, time: bigint | null, heads: number, registry: {size: bigint, note: ReturnType<typeof parseNote>}, isSigned: boolean}>}
 *   time: in milliseconds, null where no trusted key has sealed the anchor; isSigned: whether trusted keys have signed each
 *   part; what they have not signed proves nothing, and what is wrong under a trusted key is refused
 */
export async function verifyHead(shown, chain, origin, publicKeys) {
  const proof = members(shown, 'the proof of a head', ['chain', 'number', 'anchor', 'index', 'count', 'hashes', 'event', 'registry'])
  if (chainName(proof.chain) !== chain) throw new EvidenceError(`the proof is about the chain ${proof.chain}`)
  const anchor = await anchorOf(proof, origin, publicKeys)
  const commitment = await commitmentOf(object(proof.event, 'the event'), origin, publicKeys)
  if (commitment.count !== whole(proof.count, 'count')) throw new EvidenceError(`the commitment is to ${commitment.count} heads, and the proof is of ${proof.count}`)
  const leaf = utf8(canonicalize([chain, proof.number, toHex(await sha256(utf8(proof.anchor)))]))
  await leadsTo(commitment.root, whole(proof.index, 'index'), commitment.count, await leafHash(leaf), hashes(proof.hashes), 'the registry’s commitment')
  const registry = await registryOf(proof, origin, publicKeys)
  return {
    size: anchor.size,
    number: proof.number,
    time: anchor.time,
    heads: commitment.count,
    registry: { size: registry.size, note: registry.note },
    isSigned: anchor.isSigned && commitment.isSigned && registry.isSigned,
  }
}

/** The chain's own checkpoint, with the number that the log's key has sealed into it. */
async function anchorOf(proof, origin, publicKeys) {
  const [note, number] = [parseNote(text(proof.anchor, 'anchor')), whole(proof.number, 'number')]
  const { origin: name, size } = parseCheckpoint(note.text)
  if (!isOriginLine(name, origin, proof.chain)) throw new EvidenceError(`the anchor speaks for ${name}, and not for the chain ${proof.chain} of this log, ${origin}`)
  if (note.text.split('\n').length !== 4) throw new EvidenceError('an anchor’s checkpoint has three lines')
  const keys = await Promise.all(publicKeys.map((key) => keyNamed(name, key)))
  const signed = keys.filter((key) => linesOf(note, key).length > 0)
  await verifyNote(note, signed)
  const seal = await sealOf(note, signed)
  if (seal !== null && seal.number !== BigInt(number)) throw new EvidenceError(`the anchor is number ${seal.number}, and the proof is of ${number}`)
  return { size, time: seal?.time ?? null, isSigned: seal !== null }
}

/** The seal by the first of these keys that has made one; null: none has. */
async function sealOf(note, signed) {
  for (const { name, publicKey } of signed) {
    const key = await keyNamed(name, publicKey, SEAL)
    const [line, ...more] = linesOf(note, key)
    if (line === undefined) continue
    if (more.length > 0 || line.value.length !== SEAL_BYTES) throw new EvidenceError('the seal of the anchor is malformed')
    const view = new DataView(line.value.buffer, line.value.byteOffset)
    const [number, time, previous] = [view.getBigUint64(0), view.getBigUint64(8), toHex(line.value.slice(16, 48))]
    if (number < 1n || number >= 2n ** 63n || time > BigInt(MAX_TIME)) throw new EvidenceError('the number or time of the seal is out of range')
    await verifyEd25519(key, line.value.slice(48), utf8(`eventlog/anchor/v1\nnumber ${number}\ntime ${time}\nprevious ${previous}\n${note.text}`))
    return { number, time }
  }
  return null
}

/** What an event of the registry commits to, after the event's own hashes were computed. */
async function commitmentOf(event, origin, publicKeys) {
  for (const { outcome, title, detail } of await verifyHashes(event, null)) {
    if (outcome !== 'passed') throw new EvidenceError(`the commitment's event: ${title}: ${detail}`)
  }
  if (event.chain !== REGISTRY) throw new EvidenceError(`the commitment is in the chain ${event.chain} and not in ${REGISTRY}`)
  const { count, root, signature, time } = members(event.payload, 'a commitment', ['count', 'root', 'signature', 'time'])
  const id = `${ANCHORED}-${String(whole(time, 'time')).padStart(15, '0')}`
  if (event.event_type !== ANCHORED || time > MAX_TIME || event.event_id !== id) throw new EvidenceError('the commitment’s event has another type, or another id than its time gives')
  const found = { count: whole(count, 'count'), root: fromHex(root, 'root'), isSigned: false }
  const [message, bytes] = [utf8(`eventlog/heads/v1\n${origin}\ntime ${time}\ncount ${count}\nroot ${root}\n`), fromHex(signature, 'signature', 64)]
  for (const publicKey of publicKeys) found.isSigned ||= await isBy({ name: origin, publicKey }, bytes, message)
  return found
}

/** The signature names no key, so one that fits none of them may be of a key that is not trusted here. */
const isBy = (key, signature, message) =>
  verifyEd25519(key, signature, message).then(
    () => true,
    (error) => {
      if (error instanceof EvidenceError) return false
      throw error
    },
  )

async function registryOf(proof, origin, publicKeys) {
  const { tree_size, hashes: path, checkpoint } = members(proof.registry, 'registry', ['tree_size', 'hashes', 'checkpoint'])
  const note = parseNote(text(checkpoint, 'checkpoint'))
  const { origin: name, size, root } = parseCheckpoint(note.text)
  if (!isOriginLine(name, origin, REGISTRY)) throw new EvidenceError(`the registry’s checkpoint speaks for ${name}`)
  if (size !== BigInt(whole(tree_size, 'tree_size'))) throw new EvidenceError(`the registry’s checkpoint is of size ${size}, and the proof of ${tree_size}`)
  const isSigned = (await verifyNote(note, await Promise.all(publicKeys.map((key) => keyNamed(name, key))))) !== null
  await leadsTo(root, proof.event.seq, tree_size, fromHex(proof.event.hash, 'hash'), hashes(path), 'the registry’s checkpoint')
  return { note, size, isSigned }
}

async function leadsTo(root, index, size, start, path, what) {
  const steps = await foldInclusion(BigInt(index), BigInt(size), start, path)
  if (!same(steps.at(-1)?.hash ?? start, root)) throw new EvidenceError(`the proof does not lead to the root of ${what}`)
}

function members(value, what, names) {
  const given = Object.keys(object(value, what)).sort().join()
  if (given !== [...names].sort().join()) throw new EvidenceError(`${what} has the members ${names.join(', ')}, all of them and no other`)
  return value
}

function hashes(values) {
  if (!Array.isArray(values) || values.length > LONGEST) throw new EvidenceError(`hashes is not a list of at most ${LONGEST}`)
  return values.map((value) => fromHex(value, 'a hash of the proof'))
}
