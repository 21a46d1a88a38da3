// Events by time, type and source; one of them in detail; and, when live, as they come.

import { ask } from '../api.js'
import { h } from '../dom.js'
import { eventDetail } from '../detail.js'
import { plural } from '../format.js'
import { empty, errorBox, loading, moment } from '../parts.js'
import { follow } from '../sse.js'

const PAGE = 50
const KEPT_LIVE = 500
const FILTERS = ['start_time', 'end_time', 'event_type', 'source_id']

export async function render({ state, chain, go, link, signal }) {
  const live = state.get('live') === 'on'
  const filters = Object.fromEntries(FILTERS.map((name) => [name, state.getAll(name)]))
  const rows = h('tbody', {})
  const detail = h('div', { id: 'detail', 'aria-live': 'polite' })
  const status = h('p', { class: 'soft', role: 'status', id: 'events-status' })
  const context = { chain, rows, status, signal, select: (event) => choose(event, { detail, rows, go, link, signal }) }
  const footer = h('div', { class: 'row' })
  if (live) followEvents(filters, context)
  else await showPage({ ...filters, cursor: state.get('cursor') }, { ...context, footer, go })
  const chosen = state.get('event')
  if (chosen) context.select({ chain, event_id: chosen })
  return [
    filterForm(filters, live, go),
    h('div', { class: 'split' }, h('section', { class: 'card' }, h('h2', {}, 'Events'), status, table(rows), footer), h('section', { class: 'card' }, h('h2', {}, 'Detail'), chosen ? detail : [detail, hint(detail)])),
  ]
}

const hint = (detail) => {
  const text = h('p', { class: 'soft' }, 'Choose an event to see its payload, its place in the chain, and to verify it here.')
  new MutationObserver(() => text.remove()).observe(detail, { childList: true })
  return text
}

function filterForm(filters, live, go) {
  const field = (name, title, properties) => {
    const value = filters[name].join(', ')
    return h('div', { class: 'field' }, h('label', { for: name }, title), h('input', { id: name, name, value, ...properties }))
  }
  const submit = (event) => {
    event.preventDefault()
    const given = new FormData(event.target)
    const lists = ['event_type', 'source_id'].map((name) => [name, split(given.get(name))])
    const times = ['start_time', 'end_time'].map((name) => [name, given.get(name).trim()])
    go({ ...Object.fromEntries([...times, ...lists]), cursor: null, event: null })
  }
  const clear = () => go({ ...Object.fromEntries(FILTERS.map((name) => [name, null])), cursor: null, event: null })
  return h(
    'form',
    { class: 'filters card', onsubmit: submit, 'aria-label': 'Filters' },
    field('start_time', 'From (UTC)', { placeholder: '2026-11-23T00:00:00Z', size: 22 }),
    field('end_time', 'Before (UTC)', { placeholder: '2026-11-24T00:00:00Z', size: 22 }),
    field('event_type', 'Types, separated by commas', { size: 24 }),
    field('source_id', 'Sources, separated by commas', { size: 24 }),
    h('button', { class: 'main' }, 'Show'),
    h('button', { type: 'button', onclick: clear }, 'Clear'),
    h('button', { type: 'button', role: 'switch', 'aria-checked': String(live), onclick: () => go({ live: live ? null : 'on', cursor: null }) }, live ? 'Live: on' : 'Live: off'),
  )
}

const split = (text) => text.split(',').map((part) => part.trim()).filter(Boolean)

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

async function showPage({ cursor, ...filters }, { chain, rows, status, signal, select, footer, go }) {
  const page = await ask('/events', { chain, limit: PAGE, ...filters, cursor }, { signal })
  rows.replaceChildren(...page.events.map((event) => row(event, select)))
  status.textContent = page.events.length === 0 ? '' : `${plural(page.events.length, 'event')}${page.next_cursor ? ', and more' : ''}`
  if (page.events.length === 0) footer.append(empty('No event fits.', 'Widen the times, or clear the filters.'))
  if (cursor) footer.append(h('button', { type: 'button', onclick: () => history.back() }, 'Newer'))
  if (page.next_cursor) footer.append(h('button', { type: 'button', onclick: () => go({ cursor: page.next_cursor, event: null }) }, 'Older'))
}

/** New rows come in on top; while the viewer reads further down or holds the pointer there, they wait to be asked for. */
function followEvents({ event_type, source_id }, { chain, rows, status, signal, select }) {
  const waiting = []
  const more = h('button', { type: 'button', onclick: flush, hidden: true })
  let state = 'waiting'
  status.append(h('span', {}, 'Waiting for events …'), ' ', more)
  const reading = () => rows.matches(':hover, :focus-within') || rows.getBoundingClientRect().top < 0

  function flush() {
    rows.prepend(...waiting.splice(0).toReversed())
    while (rows.childElementCount > KEPT_LIVE) rows.lastElementChild.remove()
    tell()
  }
  function tell() {
    more.hidden = waiting.length === 0
    more.textContent = `Show ${plural(waiting.length, 'new event')}`
    status.firstChild.textContent = state === 'live' ? 'Live' : 'The log is away; waiting for it …'
  }
  const onevent = ({ type, data }) => {
    if (type !== 'message') return
    const shown = row(JSON.parse(data), select)
    shown.classList.add('arrived')
    waiting.push(shown)
    if (waiting.length > KEPT_LIVE) waiting.shift()
    if (reading()) tell()
    else flush()
  }
  const onstate = (now) => ((state = now), tell())
  follow('/events/stream', { chain, event_type, source_id }, { signal, onevent, onstate }).catch((error) => {
    if (!signal.aborted) status.replaceChildren(errorBox(error))
  })
}

async function choose(event, { detail, rows, link, signal }) {
  for (const other of rows.children) other.setAttribute('aria-selected', String(other.dataset.id === event.event_id))
  const address = new URL(location.href)
  address.searchParams.set('event', event.event_id)
  history.replaceState(null, '', address)
  detail.replaceChildren(loading())
  try {
    const whole = event.hash ? event : await ask(`/events/${encodeURIComponent(event.event_id)}`, { chain: event.chain }, { signal })
    detail.replaceChildren(await eventDetail(whole, link, signal))
  } catch (error) {
    if (!signal.aborted) detail.replaceChildren(errorBox(error))
  }
}
