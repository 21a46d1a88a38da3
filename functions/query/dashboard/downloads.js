// Files of what is shown, asked for with the viewer's own token: exports of a filter, evidence bundles, proofs.

import { ProblemError, request } from './api.js'

const PAGE = 1000
const MOST = 100_000
const TYPES = { csv: 'text/csv', ndjson: 'application/x-ndjson' }

/**
 * All events of a filter, page after page.
 *
 * @param {'csv' | 'ndjson'} kind
 * @param {object} parameters of GET /api/v1/events
 * @param {{fit?: (event: object) => boolean, signal: AbortSignal, progress: (count: number) => void}} how fit: what is looked at here; of lines alone
 * @returns {Promise<{text: string, events: number, isWhole: boolean}>} not whole: there are more than 100,000
 */
export async function exportOf(kind, parameters, { fit, signal, progress }) {
  const parts = []
  let cursor
  let read = 0
  let events = 0
  do {
    const answer = await request('/events', { ...parameters, limit: PAGE, cursor }, { signal, headers: { Accept: TYPES[kind] } })
    const text = await answer.text()
    const page = kind === 'csv' ? withoutHead(text, parts.length > 0) : fitting(text, fit)
    parts.push(page.text)
    cursor = answer.headers.get('Next-Cursor')
    events += page.events
    read += PAGE
    progress(events)
  } while (cursor && read < MOST)
  return { text: parts.join(''), events, isWhole: !cursor }
}

/** Each page of CSV begins with the names of its columns, which a file has once. */
function withoutHead(text, isNext) {
  const body = text.slice(text.indexOf('\n') + 1)
  return { text: isNext ? body : text, events: records(body) }
}

/** Records of CSV (RFC 4180): ends of lines that are in no quotes. */
export function records(text) {
  let [count, quoted] = [0, false]
  for (const character of text) {
    if (character === '"') quoted = !quoted
    else if (character === '\n' && !quoted) count += 1
  }
  return count
}

function fitting(text, fit) {
  const lines = text.split('\n').filter((line) => line !== '' && (!fit || fit(JSON.parse(line))))
  return { text: lines.map((line) => `${line}\n`).join(''), events: lines.length }
}

/**
 * An evidence bundle, whole or in the parts that the server gives.
 *
 * @param {object} parameters of GET /api/v1/export
 * @returns {Promise<string[]>} each a bundle by itself
 */
export async function bundles(parameters, { signal }) {
  const parts = []
  for (let from; from !== null; ) {
    const answer = await request('/export', from === undefined ? parameters : { ...parameters, from_seq: from }, { signal, headers: { Accept: TYPES.ndjson } })
    const text = await answer.text()
    const last = text.trimEnd().split('\n').at(-1)
    if (!last.startsWith('{"end":')) throw new ProblemError(500, { detail: 'The bundle broke off: something of this range is damaged, or the connection was lost.' })
    parts.push(text)
    from = JSON.parse(last).end.next_seq
  }
  return parts
}

/** The inclusion proof of an event as a C2SP tlog-proof file. */
export const proofFile = ({ chain, event_id: id }, { signal }) => request(`/events/${encodeURIComponent(id)}/proof`, { chain }, { signal, headers: { Accept: 'text/plain' } }).then((answer) => answer.text())

/** Have the browser keep a text as a file. */
export function save(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

/** A name that any file system takes. */
export const fileName = (...parts) => parts.filter(Boolean).join('-').replaceAll(/[^A-Za-z0-9._-]+/g, '_').slice(0, 120)
