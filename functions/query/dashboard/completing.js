// What can follow in a search line, at the place where somebody types.

const QUALIFIERS = ['type', 'source', 'chain', 'after', 'before', 'order']
const TERM = /^([A-Za-z][A-Za-z0-9_]*):([^]*)$/
const BLANK = /[ \t\r\n]/

/**
 * @param {string} text the line
 * @param {number} cursor where somebody types
 * @returns {{start: number, end: number, name: string | null, value: string}} the term there; name: its qualifier, value:
 *     what of it stands before the cursor
 */
export function termAt(text, cursor) {
  let [start, quoted] = [0, false]
  for (let index = 0; index < cursor; index += 1) {
    if (text[index] === '"') quoted = !quoted
    else if (BLANK.test(text[index]) && !quoted) start = index + 1
  }
  let end = cursor
  while (end < text.length && !BLANK.test(text[end])) end += 1
  const typed = text.slice(start, cursor)
  const [, name = null, value = typed] = TERM.exec(typed) ?? []
  return { start, end, name, value: value.replace(/^"/, '').replaceAll('""', '"') }
}

/** The qualifiers that begin as a term does; fields are the log's own. */
export const qualifiers = (typed, fields) => (typed === '' ? [] : [...QUALIFIERS, ...fields.filter((field) => !QUALIFIERS.includes(field))].filter((name) => name.startsWith(typed) && name !== typed))

/** A term as the line has it: quoted where it must be. */
export const term = (name, value) => `${name}:${BLANK.test(value) || value.includes('"') || value === '' ? `"${value.replaceAll('"', '""')}"` : value}`
