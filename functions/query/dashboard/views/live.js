// Events as they come: after the newest page what the stream brings, each once; nothing moves while somebody reads.

import { fill, h } from '../dom.js'
import { plural } from '../format.js'
import { errorBox } from '../parts.js'
import { follow } from '../sse.js'

const KEPT = 500

/**
 * @param {{parameters: object, seen: number, known: Set<string>, fits: (event: object) => boolean}} what
 *     seen: how many of the chain's events the page has come past; known: ids that are shown though the stream will bring
 *     them, too
 * @param {{rows: HTMLElement, region: HTMLElement, status: HTMLElement, signal: AbortSignal, again: () => void, makeRow: (event: object) => HTMLElement}} where
 */
export function followEvents({ parameters, seen, known, fits }, { rows, region, status, signal, again, makeRow }) {
  const arrivals = new Arrivals(rows, region, status)
  const warning = h('div', {})
  region.before(warning)
  const onevent = ({ type, data }) => {
    if (type === 'end') fill(warning, warningOf(JSON.parse(data), again) ?? [...warning.childNodes])
    if (type !== 'message') return
    const event = JSON.parse(data)
    if (known.delete(event.event_id) || !fits(event)) return
    const row = makeRow(event)
    row.classList.add('arrived')
    arrivals.add(row)
  }
  const onstate = (state, why) => {
    const reason = why?.status ? ` ${why.message}` : ''
    status.textContent = state === 'live' ? `Live: the newest ${KEPT} are kept here.` : `Connection lost. Reconnecting …${reason}`
  }
  status.textContent = 'Waiting for the stream …'
  follow('/events/stream', parameters, { last: String(seen - 1), signal, onevent, onstate }).catch((error) => {
    if (!signal.aborted) status.replaceChildren(errorBox(error))
  })
}

/** What the end of a stream says of what is shown; null: nothing, as the next stream goes on where this one ended. */
function warningOf({ reason, size }, again) {
  const words = {
    shorter: () => `The chain is shorter than what was shown here: it has ${plural(size, 'event')} now. The database was put back, or events were removed.`,
    damaged: () => 'The log says that what it has stored is damaged: run an audit.',
  }
  if (!Object.hasOwn(words, reason)) return null
  return h('div', { class: 'error', role: 'alert', id: 'live-warning' }, h('p', {}, words[reason]()), h('button', { type: 'button', onclick: again }, 'Show what is there now'))
}

/** New rows come in on top, a frame's worth at once; while somebody reads they wait behind a button. */
class Arrivals {
  waiting = []
  due = false

  constructor(rows, region, status) {
    this.rows = rows
    this.region = region
    this.status = status
    this.button = h('button', { type: 'button', id: 'show-new', class: 'main', hidden: true, onclick: () => this.asked() }, 'Show new events')
    status.after(this.button)
  }

  add(row) {
    this.waiting.push(row)
    if (this.waiting.length > KEPT) this.waiting.shift()
    if (this.due) return
    this.due = true
    requestAnimationFrame(() => {
      this.due = false
      if (this.isRead()) this.tell()
      else this.show()
    })
  }

  isRead() {
    return this.region.matches(':hover, :focus-within') || window.scrollY > 0
  }

  asked() {
    this.show()
    this.status.focus({ preventScroll: true }) // the button is gone
    window.scrollTo({ top: 0 })
  }

  show() {
    this.rows.prepend(...this.waiting.splice(0).reverse())
    while (this.rows.childElementCount > KEPT) this.rows.lastElementChild.remove()
    this.tell()
  }

  tell() {
    this.button.hidden = this.waiting.length === 0
    this.button.textContent = `Show ${plural(this.waiting.length, 'new event')}`
  }
}
