// Canonical JSON (RFC 8785): what was hashed. ECMAScript writes numbers and strings as the RFC asks; members are sorted.

import { EvidenceError } from './bytes.js'

/**
 * @param {unknown} value as JSON.parse gives it
 * @returns {string} its canonical text
 */
export function canonicalize(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalize).join(',')}]`
  if (typeof value === 'object' && value !== null) return `{${members(value).join(',')}}`
  if (typeof value === 'number' && !Number.isFinite(value)) throw new EvidenceError('a number has no JSON form')
  if (typeof value === 'string' && !value.isWellFormed()) throw new EvidenceError('a string is not valid Unicode')
  return JSON.stringify(value)
}

/** Section 3.2.3: by the UTF-16 code units of their names, which is how ECMAScript compares strings. */
function members(value) {
  return Object.keys(value)
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => `${canonicalize(name)}:${canonicalize(value[name])}`)
}
