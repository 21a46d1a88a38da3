// A payload in one line: its values with the names that lead to them.

const LONGEST = 60
const SLASH = '\x2f'

/**
 * @param {unknown} payload
 * @param {number} limit how many at most
 * @returns {{name: string, pointer: string, text: string}[]} scalars in their order; pointer: RFC 6901; text: strings as
 *     they are, all else as JSON
 */
export function valuesOf(payload, limit = 8) {
  const found = []
  if (payload === null) return found // it was erased
  const walk = (value, path) => {
    if (found.length >= limit) return
    if (value !== null && typeof value === 'object') for (const [name, inner] of Object.entries(value)) walk(inner, [...path, name])
    else found.push({ name: path.join('.'), pointer: path.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''), text: textOf(value) })
  }
  walk(payload, [])
  return found
}

/** A scalar as text: how it is shown, and compared. */
export const textOf = (value) => (typeof value === 'string' ? value : JSON.stringify(value))

/** Shortened for a row, by characters. */
export function shortened(text, longest = LONGEST) {
  const characters = Array.from(text.slice(0, 2 * longest + 2))
  return characters.length > longest ? `${characters.slice(0, longest).join('')}…` : text
}

/** The scalar that a pointer leads to, as text; undefined: there is none. */
export function textAt(payload, pointer) {
  let value = payload
  for (const name of pointer.split(/\//).slice(1).map((part) => part.replaceAll('~1', SLASH).replaceAll('~0', '~'))) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value !== null && typeof value === 'object' ? undefined : textOf(value)
}
