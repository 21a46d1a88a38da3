// Bytes and how they are written: hexadecimal, Base 64 (RFC 4648), UTF-8.

/** What evidence that is malformed or does not verify is refused with; the message says which part, and why. */
export class EvidenceError extends Error {
  name = 'EvidenceError'
}

/** @param {string} text @returns {Uint8Array} */
export const utf8 = (text) => new TextEncoder().encode(text)

/** @param {Uint8Array[]} parts @returns {Uint8Array} */
export function join(...parts) {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

/** @param {Uint8Array} a @param {Uint8Array} b @returns {boolean} */
export const same = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index])

/** @param {Uint8Array} bytes @returns {string} lower-case */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/**
 * @param {unknown} text lower-case hexadecimal digits
 * @param {string} what named in the error
 * @param {number} size how many bytes it must be
 * @returns {Uint8Array}
 */
export function fromHex(text, what, size = 32) {
  if (typeof text !== 'string' || text.length !== 2 * size || !/^[0-9a-f]*$/.test(text)) {
    throw new EvidenceError(`${what} is not ${size} bytes in hexadecimal`)
  }
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

/** @param {Uint8Array} bytes @returns {string} */
export const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes))

/**
 * @param {string} text in the one canonical form
 * @param {string} what named in the error
 * @returns {Uint8Array}
 */
export function fromBase64(text, what) {
  let decoded
  try {
    decoded = Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    throw new EvidenceError(`${what} is not Base 64`)
  }
  if (toBase64(decoded) !== text) throw new EvidenceError(`${what} is not canonical Base 64`)
  return decoded
}

/** @param {number | bigint} value @returns {Uint8Array} eight bytes, the highest first */
export function uint64(value) {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value))
  return bytes
}
