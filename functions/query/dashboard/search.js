// The search syntax, as the `eventlog` command reads it: the grammar is in client/src/eventlog_client/search.py.

import { formatTime, MAX_END, parseEnd, parseTime } from './times.js'

const MAX_FIELDS = 12
const ORDERS = ['asc', 'desc']
const MANY = { type: 'types', source: 'sources' }
const ONCE = { chain: readChain, after: readTime, before: readTime, order: readOrder }
const FIELDS = { chain: 'chain', after: 'start_time', before: 'end_time', order: 'order' }
const MAX_MANY = 20
const MAX_NAME = 256
const QUALIFIER = /([A-Za-z][A-Za-z0-9_]*):/y
const BARE = /[^ \t\r\n]*/y
const BLANKS = /[ \t\r\n]*/y
const QUOTED = /"((?:[^"]|"")*)"(?!")/y
const AGO = /^([0-9]{1,6})([smhdw])$/
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/
const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const JOINTS = ['AND', 'OR', 'NOT']
const AS_TEXT = 'quote it to look for it as text'
const TIMES = 'allowed: 7d (s, m, h, d or w ago), 2026-11-20, 2026-11-20T12:00:00Z'

/** A search that can't be understood; `at` is the place of the character, from 1. */
export class SearchError extends Error {
  constructor(message, at) {
    super(message)
    this.at = at
  }
}

/**
 * @param {string} text as people type it
 * @param {number} now milliseconds since 1970, which relative times are before
 * @param {string[]} fields names of the search fields that the log has declared
 * @returns {{types: string[], sources: string[], keys: string[], words: string[], chain?: string, start_time?: string, end_time?: string, order?: string}}
 *     types, sources and keys are filters of the API, times RFC 3339 texts; of the words an event must have each
 * @throws {SearchError}
 */
export function parseSearch(text, now, fields = []) {
  const found = { types: [], sources: [], keys: [], words: [] }
  // People count characters, JavaScript counts UTF-16 units.
  const place = (index) => Array.from(text.slice(0, index)).length + 1
  const reading = { text, place, now, found, fields: [...fields].sort() }
  let index = end(BLANKS, text, 0)
  while (index < text.length) {
    const name = at(QUALIFIER, text, index)?.[1]
    const start = name === undefined ? index : index + name.length + 1
    const [value, after] = readValue(reading, start)
    if (name === undefined) found.words.push(readWord(value, place(index), text[index] === '"'))
    else takeQualifier(reading, name, value, place(index), place(start))
    index = end(BLANKS, text, after)
  }
  return found
}

/** Write a search as parseSearch reads it, whenever that is. */
export function formatSearch({ types, sources, keys = [], words, chain, start_time: after, end_time: before, order }) {
  const named = [['chain', chain], ...types.map((one) => ['type', one]), ...sources.map((one) => ['source', one]), ...keys.map(namedKey), ['after', after], ['before', before], ['order', order]]
  const isPlain = (word) => written(word) === word && !word.startsWith('-') && !at(QUALIFIER, word, 0) && !JOINTS.includes(word)
  const texts = words.map((word) => (isPlain(word) ? word : quoted(word)))
  return [...named.filter(([, value]) => value !== undefined).map(([name, value]) => `${name}:${written(value)}`), ...texts].join(' ')
}

/** Whether each word is in one of an event's texts, whatever its case: names, ids, and each member's name and value of the payload. */
export function hasWords(event, words) {
  if (words.length === 0) return true
  const texts = [event.event_type, event.source_id, event.event_id, event.principal]
  const waiting = [event.payload]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (Array.isArray(value)) waiting.push(...value)
    else if (value !== null && typeof value === 'object') {
      texts.push(...Object.keys(value))
      waiting.push(...Object.values(value))
    } else if (value !== null) texts.push(String(value))
  }
  const lower = texts.map((text) => text.toLowerCase())
  return words.every((word) => lower.some((text) => text.includes(word.toLowerCase())))
}

/**
 * Whether a payload has all these keys by one of the rules that were ever in force: what the log shows is held against it.
 *
 * @param {object} payload
 * @param {string[]} keys `name:value`
 * @param {Array<{fields: Object<string, string[]>}>} versions as GET /api/v1/search-fields has them
 */
export const hasKeys = (payload, keys, versions) => versions.some(({ fields }) => keys.every((key) => keysOf(payload, key.split(':', 1)[0], fields).has(key)))

function keysOf(payload, name, fields) {
  const pointers = Object.hasOwn(fields, name) ? fields[name] : []
  const values = pointers.flatMap((pointer) => valuesAt([payload], pointer.slice(1).split('/').map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))))
  return new Set(values.filter((value) => value !== null && typeof value !== 'object').map((value) => `${name}:${value}`))
}

/** What a pointer leads to: `*` is every element of an array, and in an object a member of that name. */
function valuesAt(values, [token, ...rest]) {
  if (token === undefined) return values
  const next = values.flatMap((value) => {
    if (Array.isArray(value)) return token === '*' ? value : /^(0|[1-9][0-9]{0,8})$/.test(token) && Number(token) < value.length ? [value[Number(token)]] : []
    return value !== null && typeof value === 'object' && Object.hasOwn(value, token) ? [value[token]] : []
  })
  return valuesAt(next, rest)
}

function takeQualifier({ found, now, fields }, name, value, place, valuePlace) {
  // A field may have the name of the order; values of that are the order's, all others the field's.
  if (fields.includes(name) && !(Object.hasOwn(ONCE, name) && ORDERS.includes(value))) {
    needed(name, value, valuePlace)
    takeKey(found, `${name}:${value}`, place, valuePlace)
  } else if (name === 'key' && fields.length > 0) {
    if (!value.includes(':') || !fields.includes(value.split(':', 1)[0])) fail(`'${value}' at ${valuePlace} is no key; known fields: ${fields.join(', ')}`, valuePlace)
    takeKey(found, value, place, valuePlace)
  } else if (Object.hasOwn(MANY, name)) {
    const list = found[MANY[name]]
    list.push(readName(name, value, valuePlace))
    if (list.length > MAX_MANY) fail(`more than ${MAX_MANY} ${name}s, the last at ${place}; ask for what they begin with`, place)
  } else if (Object.hasOwn(ONCE, name)) {
    if (found[FIELDS[name]] !== undefined) fail(`'${name}' is there twice, again at ${place}; it can have one value`, place)
    needed(name, value, valuePlace)
    found[FIELDS[name]] = ONCE[name](value, valuePlace, { name, now, found })
  } else {
    fail(`unknown qualifier '${name}' at ${place}; known: ${[...new Set([...Object.keys(MANY), ...Object.keys(ONCE), ...fields])].join(', ')}; ${AS_TEXT}`, place)
  }
}

function takeKey(found, key, place, valuePlace) {
  const name = key.split(':', 1)[0]
  if (count(key.slice(name.length + 1)) > MAX_NAME) fail(`the ${name} at ${valuePlace} has more than ${MAX_NAME} characters, which no event is found by`, valuePlace)
  found.keys.push(key)
  if (found.keys.length > MAX_FIELDS) fail(`more than ${MAX_FIELDS} search fields, the last at ${place}`, place)
}

/** The qualifier and value that a key is written by. */
function namedKey(key) {
  const name = key.split(':', 1)[0]
  const value = key.slice(name.length + 1)
  return value === '' || (Object.hasOwn(ONCE, name) && ORDERS.includes(value)) ? ['key', key] : [name, value]
}

/** A value, in quotes or bare, and the index behind it. Inside of a bare one nobody could say what a quote means. */
function readValue({ text, place }, start) {
  if (text[start] === '"') {
    const match = at(QUOTED, text, start)
    if (!match) fail(`the quote at ${place(start)} is not closed; a quote inside is written twice`, place(start))
    const after = start + match[0].length
    if (end(BARE, text, after) !== after) fail(`a blank is missing after the quotes, at ${place(after)}`, place(after))
    return [match[1].replaceAll('""', '"'), after]
  }
  const after = end(BARE, text, start)
  const inside = text.slice(start, after).indexOf('"') + start
  if (inside >= start) fail(`a quote inside of a word, at ${place(inside)}; quote the whole, a quote inside is written twice`, place(inside))
  return [text.slice(start, after), after]
}

function readWord(value, place, isQuoted) {
  if (value === '') fail(`there is nothing between the quotes at ${place}`, place)
  if (!isQuoted && value.startsWith('-')) fail(`'-' leaves nothing out, at ${place}; ${AS_TEXT}`, place)
  if (!isQuoted && JOINTS.includes(value)) fail(`'${value}' joins nothing, at ${place}; all terms must hold, of types and sources one; ${AS_TEXT}`, place)
  return value
}

/** A name as it is, or with a star at its end what it begins with: the rules are in formats/name_filter.py. */
function readName(name, value, place) {
  needed(name, value, place)
  const [, bare, slashes] = /^([^]*?)(\\*)\*$/.exec(value) ?? [null, value, '']
  const isPrefix = bare !== value && slashes.length % 2 === 0
  const length = bare === value ? count(value) : count(bare) + Math.floor(slashes.length / 2) + (isPrefix ? 0 : 1)
  const wrong = (why) => fail(`'${value}' at ${place} is no ${name}: it ${why}`, place)
  if (length === 0) wrong("must have a character before the '*'")
  if (length > MAX_NAME) wrong(`must have ${MAX_NAME} characters or fewer`)
  if (CONTROL.test(value)) fail(`the ${name} at ${place} has a control character`, place)
  return value
}

function readChain(value, place) {
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(value)) fail(`'${value}' at ${place} is no chain; allowed: a to z, 0 to 9, '.', '_', '-', 64 characters at most`, place)
  return value
}

function readOrder(value, place) {
  if (!ORDERS.includes(value)) fail(`'${value}' at ${place} is no order; allowed: asc, desc`, place)
  return value
}

function readTime(value, place, { name, now, found }) {
  const millis = timeOf(value, name === 'after' ? parseTime : parseEnd, now)
  if (Number.isNaN(millis)) fail(`'${value}' at ${place} is no time; ${TIMES}`, place)
  const start = name === 'after' ? millis : parseTime(found.start_time ?? formatTime(0))
  const before = name === 'before' ? millis : parseEnd(found.end_time ?? formatTime(MAX_END))
  if (start > before) fail(`at ${place} the range is reversed: 'before' is earlier than 'after'`, place)
  return formatTime(millis)
}

function timeOf(value, parse, now) {
  const [, number, unit] = AGO.exec(value) ?? []
  if (unit) return Math.max(0, now - Number(number) * UNITS[unit])
  return parse(DATE.test(value) ? `${value}T00:00:00Z` : value)
}

const needed = (name, value, place) => value === '' && fail(`'${name}:' has no value, at ${place}`, place)

const quoted = (value) => `"${value.replaceAll('"', '""')}"`

const written = (value) => (end(BARE, value, 0) !== value.length || value.includes('"') ? quoted(value) : value)

const count = (text) => Array.from(text).length

/** The match of a sticky pattern at an index, or null. */
function at(pattern, text, index) {
  pattern.lastIndex = index
  return pattern.exec(text)
}

const end = (pattern, text, index) => index + at(pattern, text, index)[0].length

function fail(message, place) {
  throw new SearchError(message, place)
}
