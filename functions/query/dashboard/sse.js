// Server-Sent Events (WHATWG HTML, section 9.2) over fetch, as EventSource can send no bearer token.

import { request } from './api.js'

const LONGEST_WAIT = 30_000

/** What accepts streams and nothing else is told of errors in frames. */
const ACCEPT = 'text/event-stream, application/problem+json'

/**
 * Follow a stream until the signal; reconnects by itself and resumes after the last id. A browser holds six connections to
 * a host, all its tabs together (HTTP/1.1): so a tab that is hidden lets its own go, and resumes when it is seen again.
 *
 * @param {string} path below /api/v1
 * @param {Record<string, unknown>} parameters
 * @param {{last: string, signal: AbortSignal, onevent: (event: {id: string | null, type: string, data: string}) => void, onstate: (state: 'live' | 'waiting', why?: Error) => void}} options
 */
export async function follow(path, parameters, { last, signal, onevent, onstate }) {
  const reader = { id: last, retry: 1000 }
  let failures = 0
  for (;;) {
    await seen(signal)
    if (signal.aborted) return
    const hidden = whenHidden()
    try {
      const headers = { Accept: ACCEPT, 'Last-Event-ID': reader.id }
      const answer = await request(path, parameters, { headers, signal: AbortSignal.any([signal, hidden.signal]) })
      onstate('live')
      failures = 0
      await read(answer.body, reader, onevent)
    } catch (error) {
      if (signal.aborted) return
      if (hidden.signal.aborted) continue
      if (error.status >= 400 && error.status < 500 && error.status !== 429) throw error
      failures += 1
      onstate('waiting', error)
    } finally {
      hidden.abort()
    }
    await pause(Math.min(LONGEST_WAIT, reader.retry * 2 ** Math.min(failures, 5)), signal)
  }
}

/**
 * Read a stream to its end. An event that is cut off is none, and its id does not count: it would be lost.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @param {{id: string | null, retry: number}} reader the last id and the pause before the next connection, kept up to date
 * @param {(event: {id: string | null, type: string, data: string}) => void} onevent
 */
export async function read(body, reader, onevent) {
  const lines = body.pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream(new Lines())).getReader()
  let frame = { id: reader.id, type: '', data: [] }
  for (;;) {
    const { done, value } = await lines.read()
    if (done) return
    if (value !== '') {
      take(value, frame, reader)
      continue
    }
    reader.id = frame.id
    if (frame.data.length > 0) onevent({ id: frame.id, type: frame.type || 'message', data: frame.data.join('\n') })
    frame = { id: frame.id, type: '', data: [] }
  }
}

function take(line, frame, reader) {
  const at = line.indexOf(':')
  const name = at < 0 ? line : line.slice(0, at)
  const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '')
  if (name === 'data') frame.data.push(value)
  else if (name === 'event') frame.type = value
  else if (name === 'id' && !value.includes('\0')) frame.id = value
  else if (name === 'retry' && /^[0-9]+$/.test(value)) reader.retry = Number(value)
}

/** Splits text at CR LF, LF or CR, also where a chunk ends between CR and LF. */
class Lines {
  rest = ''
  afterCR = false

  transform(chunk, controller) {
    if (chunk === '') return
    const text = this.rest + (this.afterCR && chunk[0] === '\n' ? chunk.slice(1) : chunk)
    this.afterCR = chunk.endsWith('\r')
    const parts = text.split(/\r\n|\n|\r/)
    this.rest = parts.pop()
    for (const part of parts) controller.enqueue(part)
  }
}

/** Resolves when the page is seen, or given up. */
const seen = (signal) =>
  new Promise((resolve) => {
    const done = new AbortController()
    const look = () => {
      if (document.hidden && !signal.aborted) return
      done.abort()
      resolve()
    }
    document.addEventListener('visibilitychange', look, { signal: done.signal })
    signal.addEventListener('abort', look, { signal: done.signal })
    look()
  })

/** Aborts itself when the page is hidden; abort it to have it look no longer. */
function whenHidden() {
  const hidden = new AbortController()
  document.addEventListener('visibilitychange', () => document.hidden && hidden.abort(), { signal: hidden.signal })
  return hidden
}

const pause = (millis, signal) =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(resolve, millis)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
