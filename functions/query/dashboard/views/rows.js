// The table of events: a row for each, checked here as soon as it is shown, and red where an audit found something.

import { fill, h } from '../dom.js'
import { isErased } from '../evidence/fields.js'
import { number } from '../format.js'
import { meaning } from '../meaning.js'
import { moment } from '../parts.js'
import { RowChecks } from '../rowcheck.js'
import { shortened, valuesOf } from '../summary.js'
import { chosenColumns } from './columns.js'

const CELLS = {
  time: (event) => h('td', { class: 'whole time' }, moment(event.timestamp, 19)),
  received: (event) => h('td', { class: 'whole' }, moment(event.received_at)),
  type: (event, { select }) => h('td', { class: 'type' }, h('button', { type: 'button', class: 'quiet open', onclick: (click) => (click.stopPropagation(), select(event, click)) }, h('bdi', {}, event.event_type))),
  source: (event, { ask }) => h('td', { class: 'source' }, value(event.source_id, (button) => ask(button, 'source', event.source_id))),
  summary: (event, { ask }) => h('td', { class: 'summary' }, isErased(event) && h('span', { class: 'soft' }, 'erased'), valuesOf(event.payload).map(({ name, pointer, text }) => [pair(name, text, (button) => ask(button, pointer, text)), ' '])),
  principal: (event, { ask }) => h('td', {}, value(event.principal, (button) => ask(button, 'by', event.principal))),
  id: (event) => h('td', {}, h('code', {}, event.event_id)),
  seq: (event) => h('td', { class: 'whole' }, number(event.seq)),
}

/** A value to click at. By keyboard it is reached in the detail: fifty rows of values are too many stops on the way. */
const value = (text, open) => h('button', { type: 'button', class: 'value', tabindex: -1, title: text.length > 60 ? text : null, onclick: (click) => (click.stopPropagation(), open(click.currentTarget)) }, h('bdi', {}, shortened(text)))

const pair = (name, text, open) => h('button', { type: 'button', class: 'value', tabindex: -1, title: `${name}=${text}`.slice(0, 1000), onclick: (click) => (click.stopPropagation(), open(click.currentTarget)) }, h('bdi', {}, h('i', {}, `${shortened(name, 24)}=`), shortened(text, 40)))

/**
 * @param {string} chain
 * @param {string[]} keys of search fields, which the events were found by
 * @param {{select: (event: object, click?: Event) => void, ask: (button: HTMLElement, name: string, text: string) => void}} actions
 */
export class Rows {
  constructor(chain, keys, actions) {
    Object.assign(this, { chain, actions, columns: chosenColumns(), found: new Map() })
    this.body = h('tbody', {})
    this.checked = h('p', { id: 'rows-checked', role: 'status' })
    this.checks = new RowChecks(this.body, this.checked, chain, keys)
    const head = [h('th', { scope: 'col' }, h('span', { class: 'unseen' }, 'Check')), this.columns.map(([, title]) => h('th', { scope: 'col' }, title))]
    this.region = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Events' }, h('table', { class: 'events' }, h('thead', {}, h('tr', {}, head)), this.body))
    this.make = this.make.bind(this)
  }

  make(event) {
    const mark = h('span', { role: 'img', 'aria-label': 'being checked' }, '…')
    const row = h('tr', { 'data-id': event.event_id, 'data-seq': event.seq, onclick: (click) => this.actions.select(event, click) }, h('td', { class: 'mark' }, mark), this.columns.map(([name]) => CELLS[name](event, this.actions)))
    row.event = event
    this.checks.add(row, mark, event)
    this.mark(row)
    return row
  }

  /** What audits have found and stands, by seq: each row that it is about is red, now and when it comes. */
  markAll(found) {
    this.found = found
    for (const row of this.body.children) this.mark(row)
  }

  mark(row) {
    const found = this.found.get(row.event.seq)
    row.classList.toggle('found', found !== undefined)
    const cell = row.querySelector('td.type') ?? row.children[1]
    for (const before of row.querySelectorAll('.badge')) before.remove()
    if (found) cell.append(' ', h('span', { class: 'badge tampered', title: meaning(found.kind) }, 'TAMPERED'))
  }

  show(events) {
    fill(this.body, events.map(this.make))
  }
}
