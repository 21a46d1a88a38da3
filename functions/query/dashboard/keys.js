// The verifier keys that the viewer pinned, in this browser alone: never taken from the log.

import { parseVkey } from './evidence/note.js'

const STORED = 'pinned-keys'

/** @returns {string[]} */
export const pinned = () => JSON.parse(localStorage.getItem(STORED) ?? '[]')

/** Pin a key; throws EvidenceError when it is none. */
export async function pin(text) {
  await parseVkey(text)
  localStorage.setItem(STORED, JSON.stringify([...new Set([...pinned(), text.trim()])]))
}

export const unpin = (text) => localStorage.setItem(STORED, JSON.stringify(pinned().filter((kept) => kept !== text)))

/** The pinned key that is named as a checkpoint's origin line; null: none is. */
export async function keyFor(note) {
  const origin = note?.split('\n', 1)[0]
  const text = pinned().find((kept) => kept.startsWith(`${origin}+`))
  return text ? parseVkey(text) : null
}
