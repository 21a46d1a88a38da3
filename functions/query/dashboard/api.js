// Requests to the log this page came from, and to nobody else.

import { HOME } from './home.js'
import { onTheWay, reach } from './reach.js'
import { accepted, bearer, refused } from './session.js'

/** A problem document (RFC 9457) as an error. */
export class ProblemError extends Error {
  constructor(status, { title, detail, errors = [] }) {
    super(detail || title || `The log answered ${status}.`)
    this.status = status
    this.errors = errors
  }

  /** Whether the log says that what it has stored is damaged, not that something went wrong on the way to it. */
  get isDamage() {
    return this.status === 500 && this.message.startsWith('Stored data is damaged')
  }
}

/**
 * @param {string} path below /api/v1
 * @param {Record<string, unknown>} parameters lists become repeated ones; empty ones are left out
 * @param {{signal?: AbortSignal, method?: string, body?: unknown, headers?: Record<string, string>}} options
 * @returns {Promise<any>} the JSON it answers
 */
export async function ask(path, parameters = {}, options = {}) {
  const answer = await request(path, parameters, options)
  return onTheWay(answer.json(), 'The log broke off its answer.')
}

/** The answer itself, if it is a good one. */
export async function request(path, parameters = {}, { signal, method = 'GET', body, headers = {} } = {}) {
  const sent = { Accept: 'application/json', ...(await bearer()), ...headers }
  if (body !== undefined) sent['Content-Type'] = 'application/json'
  const options = { method, headers: sent, signal, body: body === undefined ? undefined : JSON.stringify(body) }
  const answer = await reach(`${HOME}api/v1${path}${query(parameters)}`, { ...options, credentials: 'omit', cache: 'no-store' })
  if (answer.status === 401) await refused()
  else accepted()
  if (answer.ok) return answer
  throw new ProblemError(answer.status, await answer.json().catch(() => ({})))
}

function query(parameters) {
  const given = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== null && item !== '') given.append(name, item)
    }
  }
  return given.size ? `?${given}` : ''
}
