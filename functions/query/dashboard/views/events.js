// Events by time, type and source; one of them in detail; and, when live, as they come.

import { ask } from '../api.js'
import { announce, fill, h } from '../dom.js'
import { eventDetail } from '../detail.js'
import { plural } from '../format.js'
import { empty, errorBox, loading, moment } from '../parts.js'
import { MAX_END, parseEnd, parseTime } from '../times.js'
import { hasWords } from '../search.js'
import { followEvents } from './live.js'
import { lookFor, searchForm } from './searching.js'

const PAGE = 50
const FILTERS = ['start_time', 'end_time', 'event_type', 'source_id']

export async function render({ state, chain, go, link, signal }) {
  const live = state.get('live') === 'on'
  const filters = Object.fromEntries(FILTERS.map((name) => [name, state.getAll(name)]))
  const words = state.getAll('word')
  const order = state.get('order')
  const rows = h('tbody', {})
  const region = table(rows)
  const detail = h('div', { id: 'detail' })
  const status = h('p', { class: 'soft', role: 'status', id: 'events-status', tabindex: -1 })
  const footer = h('div', { class: 'row' })
  const select = (event) => choose(event, { detail, rows, link, signal })
  const list = h('section', { class: 'card' }, h('h2', {}, 'Events'), h('div', { class: live ? 'row live-bar' : 'row' }, status), region, footer)
  const again = () => go({}, { replace: true })
  const places = { rows, region, status, footer, signal, again, makeRow: (event) => row(event, select) }
  const cursor = live ? null : state.get('cursor')
  try {
    if (words.length > 0 && !live) lookFor({ chain, ...filters, order }, words, places)
    else await showEvents({ chain, filters, words, order, live, cursor, go }, places)
  } catch (error) {
    if (signal.aborted) throw error
    fill(status, errorBox(error, () => go(error.status === 422 ? { cursor: null } : {}, { replace: true })))
  }
  const chosen = state.get('event')
  if (chosen) select({ chain, event_id: chosen })
  return [
    searchForm(filters, words, order, go),
    filterForm(filters, live, go),
    h('div', { class: 'split' }, list, h('section', { class: 'card' }, h('h2', {}, 'Detail'), chosen ? detail : [detail, hint(detail)])),
  ]
}

async function showEvents({ chain, filters, words, order, live, cursor, go }, places) {
  const { signal } = places
  const page = await ask('/events', { chain, limit: PAGE, ...filters, cursor, order: live ? null : order }, { signal })
  showPage(page, { live, cursor, go, words, order }, places)
  if (live) followFrom(page, { chain, words, ...filters }, places)
}

const hint = (detail) => {
  const text = h('p', { class: 'soft' }, 'Choose an event to see its payload, its place in the chain, and to verify it here.')
  new MutationObserver(() => text.remove()).observe(detail, { childList: true })
  return text
}

function filterForm(filters, live, go) {
  const field = (name, title, properties) => {
    return h('div', { class: 'field' }, h('label', { for: name }, title), h('input', { id: name, name, value: filters[name].join(', '), ...properties }))
  }
  const lines = (name, title) => h('div', { class: 'field' }, h('label', { for: name }, title), h('textarea', { id: name, name, rows: 1, spellcheck: 'false' }, filters[name].join('\n')))
  const submit = (event) => {
    event.preventDefault()
    const given = new FormData(event.target)
    const lists = ['event_type', 'source_id'].map((name) => [name, split(event.target.elements[name].value)])
    const times = ['start_time', 'end_time'].map((name) => [name, given.get(name).trim()])
    go({ ...Object.fromEntries([...times, ...lists]), cursor: null, event: null })
  }
  const clear = () => go({ ...Object.fromEntries([...FILTERS, 'word', 'order'].map((name) => [name, null])), cursor: null, event: null })
  return h(
    'form',
    { class: 'filters card', onsubmit: submit, 'aria-label': 'Filters' },
    field('start_time', 'From (UTC unless it has a zone)', { placeholder: '2026-11-23T00:00:00Z', size: 22 }),
    field('end_time', 'Before (UTC unless it has a zone)', { placeholder: '2026-11-24T00:00:00Z', size: 22 }),
    lines('event_type', 'Types, one a line'),
    lines('source_id', 'Sources, one a line'),
    h('button', { id: 'filter', class: 'main' }, 'Show'),
    h('button', { type: 'button', id: 'clear', onclick: clear }, 'Clear'),
    h('button', { type: 'button', id: 'live', role: 'switch', 'aria-checked': String(live), onclick: () => go({ live: live ? null : 'on', cursor: null }) }, live ? 'Live: on' : 'Live: off'),
  )
}

/** Names as they are: one may have commas, and blanks at its ends; none has a line break. */
const split = (text) => text.split('\n').filter((line) => line.trim() !== '')

function table(rows) {
  const head = ['Time (UTC)', 'Type', 'Source', 'Seq'].map((title) => h('th', { scope: 'col' }, title))
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Events' }, h('table', {}, h('thead', {}, h('tr', {}, head)), rows))
}

function row(event, select) {
  const open = () => select(event)
  return h(
    'tr',
    { 'data-id': event.event_id, onclick: open },
    h('td', { class: 'whole' }, moment(event.timestamp)),
    h('td', {}, h('button', { type: 'button', class: 'quiet', onclick: (click) => (click.stopPropagation(), open()) }, h('bdi', {}, event.event_type))),
    h('td', {}, h('bdi', {}, event.source_id)),
    h('td', {}, event.seq),
  )
}

function showPage(page, { live, cursor, go, words, order }, { rows, status, footer, makeRow }) {
  fill(rows, page.events.filter((event) => hasWords(event, words)).map(makeRow))
  if (live) return
  const { length } = page.events
  status.textContent = length === 0 ? '' : `${plural(length, 'event')}${page.next_cursor ? ', and more' : ''}`
  if (length === 0) footer.append(empty('No event fits.', 'Widen the times, or clear the filters.'))
  const [onward, back, first] = order === 'asc' ? ['Newer', 'Older', 'Oldest'] : ['Older', 'Newer', 'Newest']
  if (cursor) footer.append(backward(go, back, first))
  if (page.next_cursor) footer.append(h('button', { type: 'button', id: 'older', onclick: () => go({ cursor: page.next_cursor, event: null }, { entry: { fromNewer: true } }) }, onward))
}

/** A cursor only leads onward: back is where the viewer came from, and from a link it is to the first page. */
function backward(go, back, first) {
  const [words, onclick] = history.state?.fromNewer ? [back, () => history.back()] : [first, () => go({ cursor: null, event: null })]
  return h('button', { type: 'button', id: 'newer', onclick }, words)
}

/** The stream goes on where the page ended: all that was settled then was before the page's reader, shown or further down. */
function followFrom(page, { chain, words, event_type, source_id, start_time, end_time }, places) {
  const from = start_time[0] ? parseTime(start_time[0]) : 0
  const before = end_time[0] ? parseEnd(end_time[0]) : MAX_END
  const fits = (event) => parseTime(event.timestamp) >= from && parseTime(event.timestamp) < before && hasWords(event, words)
  const known = new Set(page.events.filter(({ seq }) => seq >= page.settled_size).map((event) => event.event_id))
  followEvents({ parameters: { chain, event_type, source_id }, seen: page.settled_size, known, fits }, places)
}

async function choose(event, { detail, rows, link, signal }) {
  if (signal.aborted) return
  for (const other of rows.children) other.setAttribute('aria-selected', String(other.dataset.id === event.event_id))
  const address = new URL(location.href)
  address.searchParams.set('event', event.event_id)
  history.replaceState(history.state, '', address)
  detail.replaceChildren(loading())
  detail.dataset.event = event.event_id
  const isGone = () => signal.aborted || detail.dataset.event !== event.event_id
  try {
    const whole = event.hash ? event : await named(event, signal)
    const shown = await eventDetail(whole, link, signal)
    if (isGone()) return
    detail.replaceChildren(shown)
    announce(`Event ${whole.seq} is shown in detail.`)
  } catch (error) {
    if (!isGone()) detail.replaceChildren(errorBox(error, () => choose(event, { detail, rows, link, signal })))
  }
}

/** The event that the address names; the log may not answer with another one. */
async function named({ chain, event_id: id }, signal) {
  const event = await ask(`/events/${encodeURIComponent(id)}`, { chain }, { signal })
  if (event.event_id === id && event.chain === chain) return event
  throw new Error(`The log was asked for event ${id} of the chain ${chain}, and answers with ${event.event_id} of ${event.chain}.`)
}
