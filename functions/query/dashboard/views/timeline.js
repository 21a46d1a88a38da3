// The chart above the events: what their filters find over time. Drawing on it zooms, a click filters.

import { ask } from '../api.js'
import { stackedBars } from '../chart.js'
import { fill, h } from '../dom.js'
import { empty } from '../parts.js'
import { formatTime, MAX_END } from '../times.js'
import { barRange, rangeOf } from '../bars.js'
import { exactly } from './menu.js'

const HEIGHT = 115
const KEPT_MILLIS = 60_000
const AWAY = { cursor: null, trail: null, event: null }
const NOTHING = { key: '', at: 0, figures: null }
let kept = NOTHING

/**
 * Show the figures, without anybody having to wait for them.
 *
 * @param {{chain: string, filters: Record<string, string[]>, note: string, go: (changes: object) => void, signal: AbortSignal, counted: (total: number) => void}} asked
 * @returns {HTMLElement}
 */
export function timeline({ chain, filters, note, go, signal, counted }) {
  const place = h('div', { class: 'timeline' })
  const show = (figures) => {
    if (signal.aborted) return
    if (figures === null) return fill(place, h('p', { class: 'soft' }, 'More than a million events: choose a shorter time range for a chart.'))
    if (figures.total === 0) return fill(place, empty('No events to draw.'))
    fill(place, note && h('p', { class: 'soft small' }, note), stackedBars(figures, answersOf(figures, go), { height: HEIGHT, table: false }))
    counted(figures.total)
  }
  figuresOf(chain, filters).then(show, () => signal.aborted || fill(place)) // the list tells what is wrong
  return place
}

const answersOf = (figures, go) => ({
  open: (index, value) => go({ ...barRange(figures, index), ...(value === undefined ? {} : { event_type: exactly(value) }), ...AWAY }),
  zoom: (start, end) => go({ ...rangeOf(start, end), ...AWAY }),
  choose: (value) => go({ event_type: exactly(value), ...AWAY }),
})

/** Pages of one search have one chart: it is asked for once a minute, also where the next page is there before the figures. */
function figuresOf(chain, filters) {
  const key = JSON.stringify([chain, filters])
  if (kept.key !== key || Date.now() - kept.at >= KEPT_MILLIS) {
    kept = { key, at: Date.now(), figures: count(chain, filters) }
    kept.figures.catch(() => (kept = NOTHING))
  }
  return kept.figures
}

/** An open range is from the oldest to the newest event that fits; null: more than the log counts. */
async function count(chain, filters) {
  const end = async (order) => (await ask('/events', { chain, ...filters, limit: 1, order })).events[0]?.timestamp
  const [start, last] = await Promise.all([filters.start_time[0] || end('asc'), filters.end_time[0] || end('desc')])
  if (!start || !last) return { total: 0 }
  const range = { start_time: start, end_time: filters.end_time[0] || formatTime(Math.min(MAX_END, Date.parse(last) + 1)) }
  if (range.start_time === range.end_time) return { total: 0 }
  return ask('/stats', { chain, ...filters, ...range, by: 'event_type' }).catch((error) => {
    if (!error.errors?.some(({ pointer }) => pointer === '/query/start_time')) throw error
    return null
  })
}
