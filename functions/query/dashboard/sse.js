// Server-Sent Events (WHATWG HTML, section 9.2) over fetch, as EventSource can send no bearer token.

import { request } from './api.js'

const LONGEST_WAIT = 30_000

/**
 * Follow a stream until the signal; reconnects by itself and resumes after the last id.
 *
 * @param {string} path below /api/v1
 * @param {Record<string, unknown>} parameters
 * @param {{signal: AbortSignal, onevent: (event: {id: string, type: string, data: string}) => void, onstate: (state: 'live' | 'waiting') => void}} options
 */
export async function follow(path, parameters, { signal, onevent, onstate }) {
  const reader = { id: null, retry: 1000, failures: 0 }
  while (!signal.aborted) {
    try {
      const headers = { Accept: 'text/event-stream', ...(reader.id === null ? {} : { 'Last-Event-ID': reader.id }) }
      const answer = await request(path, parameters, { headers, signal })
      onstate('live')
      reader.failures = 0
      await read(answer.body, reader, onevent)
    } catch (error) {
      if (signal.aborted) return
      if (error.status >= 400 && error.status < 500 && error.status !== 429) throw error
      reader.failures += 1
      onstate('waiting')
    }
    await pause(Math.min(LONGEST_WAIT, reader.retry * 2 ** Math.min(reader.failures, 5)), signal)
  }
}

async function read(body, reader, onevent) {
  const lines = body.pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream(new Lines())).getReader()
  let event = { type: 'message', data: [] }
  for (;;) {
    const { done, value } = await lines.read()
    if (done) return
    if (value === '') {
      if (event.data.length > 0) onevent({ id: reader.id, type: event.type, data: event.data.join('\n') })
      event = { type: 'message', data: [] }
    } else take(value, event, reader)
  }
}

function take(line, event, reader) {
  const at = line.indexOf(':')
  const name = at < 0 ? line : line.slice(0, at)
  const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '')
  if (name === 'data') event.data.push(value)
  else if (name === 'event') event.type = value
  else if (name === 'id' && !value.includes('\0')) reader.id = value
  else if (name === 'retry' && /^[0-9]+$/.test(value)) reader.retry = Number(value)
}

/** Splits text at CR LF, LF or CR. */
class Lines {
  rest = ''

  transform(chunk, controller) {
    const parts = (this.rest + chunk).split(/\r\n|\n|\r(?!$)/)
    this.rest = parts.pop()
    for (const part of parts) controller.enqueue(part)
  }
}

const pause = (millis, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, millis)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
