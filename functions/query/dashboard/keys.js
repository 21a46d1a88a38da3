// The verifier keys that the viewer pinned, in this browser alone: never taken from the log. Another log may have been
// served from this address before, so a key counts only under the name of the log that is served now.

import { EvidenceError } from './evidence/bytes.js'
import { isOriginLine, parseVkey } from './evidence/note.js'
import { configuration } from './session.js'

const STORED = 'pinned-keys'

/** @returns {string[]} */
export const pinned = () => JSON.parse(localStorage.getItem(STORED) ?? '[]')

/** Whether a pinned key is one of this log's. */
export const isOf = (origin, text) => isOriginLine(text.split('+', 1)[0], origin)

/** Pin a key; throws EvidenceError when it is none, or none of this log. */
export async function pin(text) {
  const { name } = await parseVkey(text)
  const { origin } = await configuration()
  if (!isOriginLine(name, origin)) {
    throw new EvidenceError(`it is named ${name}, and a key of this log is named ${origin}/ and the chain, so it is another log's`)
  }
  localStorage.setItem(STORED, JSON.stringify([...new Set([...pinned(), text.trim()])]))
}

export const unpin = (text) => localStorage.setItem(STORED, JSON.stringify(pinned().filter((kept) => kept !== text)))

/**
 * What a chain of this log is held to. There may be several keys: of one name after a rotation, of another after a restore.
 *
 * @param {string} chain
 * @returns {Promise<import('./evidence/steps.js').Held>}
 */
export async function heldTo(chain) {
  const { origin } = await configuration()
  const keys = await Promise.all(pinned().filter((text) => isOf(origin, text)).map(parseVkey))
  return { origin, keys: keys.filter(({ name }) => isOriginLine(name, origin, chain)) }
}
