// Inclusion proofs (RFC 9162, section 2.1.3.2). Indexes and sizes are BigInt: a log may outgrow 32-bit shifts.

import { EvidenceError } from './bytes.js'
import { nodeHash } from './hashing.js'

/**
 * @param {bigint} index the leaf's
 * @param {bigint} size the tree's
 * @param {Uint8Array} leafHash
 * @param {Uint8Array[]} hashes the proof, from the leaf to the root
 * @returns {Promise<{hash: Uint8Array, sibling: Uint8Array, left: boolean}[]>} each step: what was folded in, on which
 *   side, and what that gave; the last one's hash is the root
 */
export async function foldInclusion(index, size, leafHash, hashes) {
  if (index < 0n || index >= size) throw new EvidenceError('the event is not in a tree of this size')
  let [fn, sn, hash] = [index, size - 1n, leafHash]
  const steps = []
  for (const sibling of hashes) {
    if (sn === 0n) throw new EvidenceError('the proof is longer than the tree is high')
    const left = (fn & 1n) === 1n || fn === sn
    hash = left ? await nodeHash(sibling, hash) : await nodeHash(hash, sibling)
    steps.push({ hash, sibling, left })
    while (left && (fn & 1n) === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n]
    ;[fn, sn] = [fn >> 1n, sn >> 1n]
  }
  if (sn !== 0n) throw new EvidenceError('the proof is shorter than the tree is high')
  return steps
}
