// Which Ed25519 public keys may be trusted at all (RFC 8032, section 5.1): under a key of small order anyone can sign, and
// a point that can be written in two ways could pass as two keys. The same in Python: formats/ed25519.py.

import { EvidenceError } from './bytes.js'

const P = 2n ** 255n - 19n
const modulo = (value) => ((value % P) + P) % P
const D = modulo(-121665n * inverse(121666n))

/** @param {Uint8Array} publicKey 32 bytes */
export function checkPublicKey(publicKey) {
  if (publicKey.length !== 32) throw new EvidenceError('an Ed25519 public key has 32 bytes')
  const number = publicKey.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
  let y = number & ((1n << 255n) - 1n) // the top bit is the sign of x (section 5.1.2)
  if (y >= P) throw new EvidenceError('the Ed25519 public key is not in canonical form')
  for (let doubled = 0; doubled < 3; doubled += 1) y = double(y) // a point of order 1, 2, 4 or 8 becomes the neutral element
  if (y === 1n) throw new EvidenceError('the Ed25519 public key is of small order: anyone could sign under it')
}

/** The y of twice the point with this y, from -x² + y² = 1 + d x² y² and y' = (y² + x²) / (2 - y² + x²). */
function double(y) {
  const yy = modulo(y * y)
  const xx = modulo((yy - 1n) * inverse(modulo(D * yy + 1n)))
  return modulo((yy + xx) * inverse(modulo(2n - yy + xx)))
}

/** By Fermat: value^(P - 2). */
function inverse(value) {
  let [result, base] = [1n, modulo(value)]
  for (let exponent = P - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = modulo(result * base)
    base = modulo(base * base)
  }
  return result
}
