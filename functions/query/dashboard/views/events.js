// Events by time, type and source; one of them in detail; and, when live, as they come.

import { ask } from '../api.js'
import { localConditions } from '../conditions.js'
import { copyButton, listDownloads } from '../downloading.js'
import { fill, h } from '../dom.js'
import { number, plural } from '../format.js'
import { watchFindings } from '../marked.js'
import { empty, errorBox } from '../parts.js'
import { MAX_END, parseEnd, parseTime } from '../times.js'
import { chips, SEARCHED } from './chips.js'
import { columnChooser } from './columns.js'
import { FILTERS, filterForm, isWide } from './filters.js'
import { followEvents } from './live.js'
import { valueMenu } from './menu.js'
import { Pane } from './pane.js'
import { Rows } from './rows.js'
import { lookFor, searchForm, unindexed } from './searching.js'
import { timeline } from './timeline.js'
import { welcome } from './welcome.js'

const PAGE = 50
const TRAIL = 8
const AHEAD = 3_600_000

export async function render({ state, chain, go, link, signal }) {
  const live = state.get('live') === 'on'
  const filters = Object.fromEntries([...FILTERS, 'key'].map((name) => [name, state.getAll(name)]))
  const local = localConditions(state)
  const order = state.get('order')
  const offer = valueMenu(chain, state, go, signal)
  const rows = new Rows(chain, filters.key, { select: (event, click) => pane.open(event, click), ask: offer })
  const pane = new Pane({ chain, rows, link, signal, offer })
  const status = h('p', { class: 'soft', role: 'status', id: 'events-status', tabindex: -1 })
  const footer = h('div', { class: 'row' })
  const again = () => go({}, { replace: true })
  const head = h('div', { class: live ? 'row live-bar' : 'row list-head' }, status, rows.checked, h('div', { class: 'row' }, listDownloads({ chain, parameters: { chain, ...filters, order }, local, signal }), copyButton(() => fixedLink(state), 'Copy link'), columnChooser(again)))
  const list = h('section', { class: 'card' }, h('h2', { class: 'unseen' }, 'Events'), head, rows.region, footer)
  const places = { rows: rows.body, region: rows.region, status, footer, signal, again, makeRow: rows.make, checks: rows.checks }
  const form = filterForm(filters, live, go)
  let chart = null
  try {
    if (local.any && !live) lookFor({ chain, ...filters, order }, local, places)
    else {
      const count = await showEvents({ chain, filters, local, order, live, state, go, rows }, places)
      if (count === 0 && !live && !SEARCHED.some((name) => state.get(name)) && !state.get('cursor')) return welcome({ chain, again, signal })
    }
    if (!live) chart = chartOf({ chain, filters, local, go, signal }, status)
  } catch (error) {
    if (signal.aborted) throw error
    const rest = form.explain(error)
    fill(status, rest && errorBox(error, () => go(error.status === 422 ? { cursor: null, trail: null } : {}, { replace: true })))
  }
  watchFindings(chain, signal, (found) => (rows.markAll(found), pane.refresh()))
  const chosen = state.get('event')
  if (chosen) pane.open({ chain, event_id: chosen })
  return [
    h('section', { class: 'card narrow' }, searchForm(filters, local.words, order, { go, understood: chips(state, go), chain, signal }), form.element),
    chart,
    h('div', { class: 'split' }, list, pane.element),
  ]
}

/** The figures come later than the list, and then say how many there are. */
function chartOf({ chain, filters, local, go, signal }, status) {
  const note = local.any && 'What the log itself finds; words and values are looked for here, below.'
  const counted = (total) => {
    if (status.dataset.first) status.textContent = `First ${status.dataset.first} of ${number(total)}`
  }
  return h('details', { class: 'card narrow', open: isWide() }, h('summary', {}, 'Events over time'), timeline({ chain, filters, note, go, signal, counted }))
}

async function showEvents({ chain, filters, local, order, live, state, go, rows }, places) {
  const cursor = live ? null : state.get('cursor')
  const plain = Object.values(filters).every((given) => given.length === 0)
  const sorted = plain && !live && state.get('sort') === 'seq' ? { sort: 'seq', order: 'desc' } : { ...filters, order: live ? null : order }
  const page = await ask('/events', { chain, limit: PAGE, ...sorted, cursor }, { signal: places.signal })
  rows.show(live ? page.events.filter(local.fit) : page.events)
  places.region.before(...[unindexed(page.search)].filter(Boolean))
  if (live) followFrom(page, { chain, local, ...filters }, places)
  else describe(page, { cursor, trail: state.getAll('trail'), go, order, plain }, places)
  return page.events.length
}

/** Cursors only lead onward, so the address keeps those that led here: back is to the one before, or to the first page. */
function describe({ events, next_cursor: next }, { cursor, trail, go, order, plain }, { status, footer, region }) {
  const { length } = events
  status.textContent = length === 0 ? '' : next && !cursor ? `First ${plural(length, 'event')}` : plural(length, 'event')
  const ahead = events.filter((event) => Date.parse(event.timestamp) > Date.now() + AHEAD).length
  if (ahead > 0 && order !== 'asc') region.before(future(ahead, plain && go))
  if (next && !cursor) status.dataset.first = length
  if (length === 0) footer.append(empty('No matching events.', 'Try a wider time range or clear the filters.'))
  const [onward, back, first] = order === 'asc' ? ['Newer', 'Older', 'Oldest'] : ['Older', 'Newer', 'Newest']
  const button = (id, words, changes) => footer.append(h('button', { type: 'button', id, onclick: () => go({ ...changes, event: null }) }, words))
  if (cursor) button('first', first, { cursor: null, trail: null })
  if (cursor && (trail.length > 0)) button('newer', back, { cursor: trail.at(-1) === FIRST ? null : trail.at(-1), trail: trail.slice(0, -1) })
  if (next) button('older', onward, { cursor: next, trail: [...trail, cursor ?? FIRST].slice(-TRAIL) })
}

/** Senders state times: those that are still to come stand before all others, until somebody asks for another order. */
const future = (count, go) =>
  h(
    'p',
    { class: 'notice', id: 'future' },
    `${plural(count, 'event')} here ${count === 1 ? 'states a time' : 'state times'} in the future, and ${count === 1 ? 'stands' : 'stand'} before those that came later. `,
    go && h('button', { type: 'button', onclick: () => go({ sort: 'seq', cursor: null, trail: null }) }, 'Order by arrival'),
  )

/** The same events for whoever gets the link, whatever comes after: a time range that is open ends now. */
function fixedLink(state) {
  const fixed = new URLSearchParams(state)
  if (!fixed.get('end_time')) fixed.set('end_time', new Date().toISOString())
  for (const name of ['live', 'cursor', 'trail']) fixed.delete(name)
  return `${location.origin}${location.pathname}?${fixed}`
}

/** What stands in the trail for the first page, which has no cursor. */
const FIRST = '-'

/** The stream goes on where the page ended: all that was settled then was before the page's reader, shown or further down. */
function followFrom(page, { chain, local, event_type, source_id, key, start_time, end_time }, places) {
  const from = start_time[0] ? parseTime(start_time[0]) : 0
  const before = end_time[0] ? parseEnd(end_time[0]) : MAX_END
  const fits = (event) => parseTime(event.timestamp) >= from && parseTime(event.timestamp) < before && local.fit(event)
  const known = new Set(page.events.filter(({ seq }) => seq >= page.settled_size).map((event) => event.event_id))
  followEvents({ parameters: { chain, event_type, source_id, key }, seen: page.settled_size, known, fits }, places)
}
