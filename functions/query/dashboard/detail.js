// One event: what it says, its place in the chain, and the way to verify it here.

import { h } from './dom.js'
import { alike } from './evidence/canonical.js'
import { UnsupportedError } from './evidence/webcrypto.js'
import { pretty } from './format.js'
import { errorBox, hash, loading, moment } from './parts.js'
import { eventsOf } from './range.js'
import { verification } from './verification.js'

/** @param {object} event as the API has shown it: the very object that is verified, never one that is asked for again */
export async function eventDetail(event, link, signal) {
  const result = h('div', {})
  const verify = async () => {
    result.replaceChildren(loading('Checking …'))
    try {
      result.replaceChildren(await verification(event, link, signal))
    } catch (error) {
      const again = error instanceof UnsupportedError ? null : verify
      if (!signal.aborted) result.replaceChildren(errorBox(error, again))
    }
  }
  return h(
    'div',
    {},
    h('p', {}, h('button', { type: 'button', class: 'main', onclick: verify }, 'Verify here')),
    result,
    facts(event),
    h('h3', {}, 'Payload'),
    h('pre', { tabindex: 0 }, pretty(event.payload)),
    h('h3', {}, 'Neighbours in the chain'),
    ...(await neighbours(event, link, signal)),
  )
}

function facts(event) {
  const rows = [
    ['Type', h('bdi', {}, event.event_type)],
    ['Source', h('bdi', {}, event.source_id)],
    ['Happened', moment(event.timestamp)],
    ['Received', moment(event.received_at)],
    ['By', h('bdi', {}, event.principal)],
    ['Id', h('code', {}, event.event_id)],
    ['Place', `${event.seq} in ${event.chain}`],
    ['Payload hash', hash(event.payload_hash)],
    ['Content hash', hash(event.content_hash)],
    ['Previous hash', hash(event.prev_hash)],
    ['Hash', hash(event.hash)],
  ]
  return h('dl', { class: 'facts' }, rows.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]))
}

async function neighbours(event, link, signal) {
  const events = await eventsOf(event.chain, Math.max(0, event.seq - 1), event.seq + 2, signal)
  const items = events.map((other) => {
    const words = `${other.seq} ${other.event_type}`
    if (other.seq === event.seq) return h('li', {}, h('strong', {}, h('bdi', {}, words)), alike(other, event) ? ' (this one)' : ' (NOT this one: the log now has another event in its place)')
    const linked = other.seq < event.seq ? event.prev_hash === other.hash : other.prev_hash === event.hash
    const mark = linked ? 'linked by its hash' : 'NOT linked: the hashes differ'
    return h('li', {}, h('a', { href: link({ view: 'events', event: other.event_id }) }, h('bdi', {}, words)), ` (${mark})`)
  })
  return [h('ul', {}, items), h('p', {}, h('a', { href: link({ view: 'chain', seq: event.seq }) }, 'Show it in the chain'))]
}
