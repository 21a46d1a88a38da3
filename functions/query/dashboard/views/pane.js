// The event beside the list, or over it on a phone; and the keys that move through both.

import { ask } from '../api.js'
import { announce, h } from '../dom.js'
import { eventDetail } from '../detail.js'
import { day } from '../format.js'
import { findingNotice } from '../meaning.js'
import { errorBox, loading, takeTurn } from '../parts.js'
import { nameView } from '../standing.js'

const MOVES = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }
const TYPING = 'input, textarea, select, [contenteditable]'

export class Pane {
  /** @param {{chain: string, rows: import('./rows.js').Rows, link: Function, signal: AbortSignal, offer: Function}} view */
  constructor(view) {
    Object.assign(this, view, { event: null })
    this.detail = h('div', { id: 'detail' })
    this.title = h('h2', { tabindex: -1, id: 'detail-title' }, 'Detail')
    this.hint = h('p', { class: 'soft' }, 'Choose an event to see its payload and its place in the chain, and to verify it. Keys: j and k move, Enter opens, v verifies, Esc closes.')
    this.closer = h('button', { type: 'button', id: 'close-detail', class: 'quiet', hidden: true, onclick: () => this.close() }, 'Close')
    this.element = h('section', { class: 'card pane', 'aria-label': 'Detail' }, h('div', { class: 'pane-head' }, this.title), this.detail, this.hint, this.closer)
    document.addEventListener('keydown', (pressed) => this.press(pressed), { signal: view.signal })
  }

  /** Show an event; one that is only named is asked for first. By keyboard the focus goes with it. */
  async open(event, click) {
    if (this.signal.aborted) return
    for (const row of this.rows.body.children) row.setAttribute('aria-selected', String(row.dataset.id === event.event_id))
    address((parameters) => parameters.set('event', event.event_id))
    this.show(true)
    this.detail.replaceChildren(loading())
    this.detail.dataset.event = event.event_id
    if (click && click.detail === 0) this.title.focus({ preventScroll: true })
    const isLast = takeTurn(this.detail)
    const isGone = () => this.signal.aborted || !isLast()
    try {
      const whole = event.hash ? event : await named(event, this.signal)
      if (isGone()) return
      this.event = whole
      const shown = await eventDetail(whole, this.link, this.signal, { found: this.rows.found.get(whole.seq), ask: this.offer })
      if (isGone()) return
      this.detail.replaceChildren(shown)
      nameView(`${whole.event_type}, ${day(whole.timestamp)}`)
      announce(`Event ${whole.seq} is shown in detail.`)
    } catch (error) {
      if (!isGone()) this.detail.replaceChildren(errorBox(error, () => this.open(event)))
    }
  }

  /** What audits have found may come later than the event: then it is added, and an event on its way begins anew. */
  refresh() {
    if (!this.event || this.detail.dataset.event !== this.event.event_id || this.detail.querySelector('[data-finding]')) return
    const found = this.rows.found.get(this.event.seq)
    if (!found) return
    if (this.detail.querySelector('#verify')) this.detail.firstElementChild.prepend(findingNotice(found, this.event.chain))
    else this.open(this.event)
  }

  close() {
    const row = this.selected()
    for (const other of this.rows.body.children) other.setAttribute('aria-selected', 'false')
    address((parameters) => parameters.delete('event'))
    delete this.detail.dataset.event
    takeTurn(this.detail)
    this.event = null
    this.detail.replaceChildren()
    this.show(false)
    nameView('Events')
    const opener = row?.querySelector('button.open')
    if (opener) opener.focus({ preventScroll: true })
  }

  show(isOpen) {
    this.element.toggleAttribute('data-open', isOpen)
    this.hint.hidden = isOpen
    this.closer.hidden = !isOpen
  }

  selected = () => this.rows.body.querySelector('tr[aria-selected="true"]')

  press(pressed) {
    if (pressed.defaultPrevented || pressed.ctrlKey || pressed.metaKey || pressed.altKey || pressed.target.closest?.(TYPING)) return
    if (pressed.key === 'Escape' && this.event) this.close()
    else if (pressed.key === 'v' && this.event) this.detail.querySelector('#verify')?.click()
    else if (Object.hasOwn(MOVES, pressed.key)) this.move(pressed, MOVES[pressed.key])
  }

  /** Arrows move where a row has the focus, and scroll elsewhere; j and k always move. An open detail comes along. */
  move(pressed, step) {
    const rows = [...this.rows.body.children]
    const focused = document.activeElement?.closest?.('tbody tr')
    if (pressed.key.startsWith('Arrow') && !rows.includes(focused)) return
    const from = rows.includes(focused) ? rows.indexOf(focused) : rows.indexOf(this.selected())
    const row = rows[Math.min(rows.length - 1, Math.max(0, from + step))]
    if (!row) return
    pressed.preventDefault()
    row.querySelector('button.open').focus()
    row.scrollIntoView({ block: 'nearest' })
    if (this.event) this.open(row.event)
  }
}

function address(change) {
  const next = new URL(location.href)
  change(next.searchParams)
  history.replaceState(history.state, '', next)
}

/** The event that the address names; the log may not answer with another one. */
async function named({ chain, event_id: id }, signal) {
  const event = await ask(`/events/${encodeURIComponent(id)}`, { chain }, { signal })
  if (event.event_id === id && event.chain === chain) return event
  throw new Error(`The log was asked for event ${id} of the chain ${chain}, and answers with ${event.event_id} of ${event.chain}.`)
}
