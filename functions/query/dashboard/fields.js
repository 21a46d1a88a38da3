// The search fields that a log declares, and the values that events have.

import { ask } from './api.js'

const FIELDS = { type: 'event_type', source: 'source_id' }
const kept = new Map()

/** @returns {Promise<Record<string, string[]>>} pointers into the payload by name; none where the log declares none */
export function searchFields(chain) {
  if (!kept.has(chain)) kept.set(chain, ask('/search-fields', { chain }).then(({ fields }) => fields, () => (kept.delete(chain), {})))
  return kept.get(chain)
}

/** The field that finds a value of a payload by an index; undefined: none does. */
export const fieldOf = (fields, pointer) => Object.keys(fields).find((name) => fields[name].some((declared) => matches(declared, pointer)))

const matches = (declared, pointer) => new RegExp(`^${declared.split('/*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('/[0-9]+')}$`).test(pointer)

/** Values that begin so; none where the log can't say. */
export const suggestions = (chain, name, prefix, signal) =>
  ask('/suggestions', { chain, field: Object.hasOwn(FIELDS, name) ? FIELDS[name] : name, prefix, limit: 8 }, { signal }).then(({ values }) => values, () => [])
