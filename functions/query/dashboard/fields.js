// The search fields that a log declares, and the values that events have.

import { ask } from './api.js'
import { valuesOf } from './summary.js'

const FIELDS = { type: 'event_type', source: 'source_id' }
const kept = new Map()

/** What a chain is searched by; nothing where the log declares nothing, or can't say. */
function declared(chain) {
  const none = () => (kept.delete(chain), { fields: {}, versions: [] })
  if (!kept.has(chain)) kept.set(chain, ask('/search-fields', { chain }).catch(none))
  return kept.get(chain)
}

/** @returns {Promise<Record<string, string[]>>} pointers into the payload by name */
export const searchFields = async (chain) => (await declared(chain)).fields

/** The field that finds a value of a payload by an index; undefined: none does. */
export const fieldOf = (fields, pointer) => Object.keys(fields).find((name) => fields[name].some((one) => matches(one, pointer)))

const matches = (one, pointer) => new RegExp(`^${one.split('/*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('/[0-9]+')}$`).test(pointer)

/**
 * Whether a payload has what its event was found by, by any rule that there ever was: a log can leave events out of what it
 * finds, and never make one up.
 *
 * @param {string[]} keys `name:value`
 * @param {{fields: Record<string, string[]>}[]} versions
 */
export function hasKeys(payload, keys, versions) {
  const values = valuesOf(payload, Infinity)
  const has = (name, text) => versions.some(({ fields }) => values.some((one) => one.text === text && (fields[name] ?? []).some((each) => matches(each, one.pointer))))
  return keys.every((key) => has(key.slice(0, key.indexOf(':')), key.slice(key.indexOf(':') + 1)))
}

/** The same, by the rules of a chain; true where the log can't say them. */
export async function fitsKeys(chain, keys, payload) {
  const { versions } = await declared(chain)
  return versions.length === 0 || hasKeys(payload, keys, versions)
}

/** Values that begin so; none where the log can't say. */
export const suggestions = (chain, name, prefix, signal) =>
  ask('/suggestions', { chain, field: Object.hasOwn(FIELDS, name) ? FIELDS[name] : name, prefix, limit: 8 }, { signal }).then(({ values }) => values, () => [])
