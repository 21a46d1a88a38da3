// One event: what it says, its place in the chain, and the way to verify it in this browser.

import { h } from './dom.js'
import { eventDownloads } from './downloading.js'
import { erasedNotice } from './erasure.js'
import { alike } from './evidence/canonical.js'
import { isErased } from './evidence/fields.js'
import { UnsupportedError } from './evidence/webcrypto.js'
import { number, pretty } from './format.js'
import { findingNotice } from './meaning.js'
import { errorBox, hash, loading, moment, takeTurn } from './parts.js'
import { eventsOf } from './range.js'
import { checkEvent } from './rowcheck.js'
import { shortened, valuesOf } from './summary.js'
import { verification } from './verification.js'

const VALUES = 40

/**
 * @param {object} event as the API has shown it: the very object that is verified, never one that is asked for again
 * @param {{found?: object, ask?: (button: HTMLElement, name: string, text: string) => void}} more
 *     found: what an audit found of it; ask: offers what a click on a value can do
 */
export async function eventDetail(event, link, signal, { found, ask } = {}) {
  const result = h('div', {})
  const verify = async () => {
    result.replaceChildren(loading('Checking …'))
    const isLast = takeTurn(result)
    try {
      const shown = await verification(event, link, signal, verify)
      if (isLast()) result.replaceChildren(shown)
    } catch (error) {
      const again = error instanceof UnsupportedError ? null : verify
      if (isLast() && !signal.aborted) result.replaceChildren(errorBox(error, again))
    }
  }
  const { outcome, words } = await checkEvent(event, event.chain)
  return h(
    'div',
    {},
    found && findingNotice(found, event.chain),
    outcome === 'failed' && h('p', { class: 'error', 'data-check': outcome }, 'Your browser gets a different hash than the log claims. ', words),
    h('p', { class: 'row' }, h('button', { type: 'button', class: 'main', id: 'verify', onclick: verify }, 'Verify in my browser')),
    result,
    eventDownloads(event, signal),
    facts(event, ask),
    h('h3', {}, 'Payload'),
    ask && values(event, ask),
    isErased(event) ? await erasedNotice(event, link, signal) : h('pre', { tabindex: 0 }, pretty(event.payload)),
    h('h3', {}, 'Before and after'),
    ...(await neighbours(event, link, signal)),
  )
}

const value = (name, text, ask) =>
  ask ? h('button', { type: 'button', class: 'value', onclick: (click) => ask(click.currentTarget, name, text) }, h('bdi', {}, text)) : h('bdi', {}, text)

function values(event, ask) {
  const items = valuesOf(event.payload, VALUES).map(({ name, pointer, text }) => h('li', {}, h('button', { type: 'button', class: 'value', onclick: (click) => ask(click.currentTarget, pointer, text) }, h('bdi', {}, h('i', {}, `${shortened(name)}=`), shortened(text)))))
  return items.length > 0 && h('ul', { class: 'values', 'aria-label': 'Values' }, items)
}

function facts(event, ask) {
  const rows = [
    ['Type', value('type', event.event_type, ask)],
    ['Source', value('source', event.source_id, ask)],
    ['Occurred (as stated by the sender)', moment(event.timestamp)],
    ['Received', moment(event.received_at)],
    ['Sent by', value('by', event.principal, ask)],
    ['Id', h('code', {}, event.event_id)],
    ['Position', `${number(event.seq)} in ${event.chain}`],
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
    const words = `${number(other.seq)} ${other.event_type}`
    if (other.seq === event.seq) return h('li', {}, h('strong', {}, h('bdi', {}, words)), alike(other, event) ? ' (this one)' : ' (NOT this one: the log now has another event in its place)')
    const linked = other.seq < event.seq ? event.prev_hash === other.hash : other.prev_hash === event.hash
    const mark = linked ? 'linked by its hash' : 'NOT linked: the hashes differ'
    return h('li', {}, h('a', { href: link({ view: 'events', event: other.event_id }) }, h('bdi', {}, words)), ` (${mark})`)
  })
  return [h('ul', {}, items), h('p', {}, h('a', { href: link({ view: 'chain', seq: event.seq }) }, 'Show it in the chain'))]
}
