// Canonical JSON (RFC 8785): what was hashed. ECMAScript writes numbers and strings as the RFC asks; members are sorted.

import { EvidenceError } from './bytes.js'

const MAX_DEPTH = 64

/**
 * @param {unknown} value as JSON.parse gives it
 * @param {number} depth how deep it is nested
 * @returns {string} its canonical text
 */
export function canonicalize(value, depth = 0) {
  const isNested = typeof value === 'object' && value !== null
  if (isNested && depth === MAX_DEPTH) throw new EvidenceError(`JSON is nested deeper than ${MAX_DEPTH} levels`)
  if (Array.isArray(value)) return `[${value.map((item) => canonicalize(item, depth + 1)).join(',')}]`
  if (isNested) return `{${members(value, depth + 1).join(',')}}`
  if (typeof value === 'number' && !Number.isFinite(value)) throw new EvidenceError('a number has no JSON form')
  if (typeof value === 'string' && !value.isWellFormed()) throw new EvidenceError('a string is not valid Unicode')
  return JSON.stringify(value)
}

/** Section 3.2.3: by the UTF-16 code units of their names, which is how ECMAScript compares strings. */
function members(value, depth) {
  return Object.keys(value)
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => `${canonicalize(name)}:${canonicalize(value[name], depth)}`)
}

/** Whether two events are one and the same, whatever the order of their members. */
export const alike = (one, other) => canonicalize(one) === canonicalize(other)
