// What a place in the stacked bars means: which bar, which segment, and what of it is told beside the mouse.

import { h } from './dom.js'
import { number, plural } from './format.js'
import { formatTime, MAX_END } from './times.js'
import { shownTime, zoneName } from './zone.js'

const TOP = 5

/** Each series on top of those before it; the highest is drawn first. */
export function stack(series) {
  let below = series[0].counts.map(() => 0)
  return series.map(({ counts }) => (below = counts.map((count, index) => count + below[index])))
}

/** The bar at a time; null: beside all of them. */
export function barAt({ starts, bucket }, seconds) {
  const index = Math.floor((seconds - Date.parse(starts[0]) / 1000) / bucket)
  return index >= 0 && index < starts.length ? index : null
}

/** The value whose segment is at a height of a bar; undefined: above the bar, or it is the rest. */
export function segmentAt({ series }, index, height) {
  const at = stack(series).findIndex((counts) => height <= counts[index])
  return series[at]?.value ?? undefined
}

/** A range of times as parameters, within the times that there are. */
export const rangeOf = (start, end) => ({ start_time: formatTime(Math.max(0, start)), end_time: formatTime(Math.min(MAX_END, end)) })

export const barRange = ({ starts, bucket }, index) => rangeOf(Date.parse(starts[index]), Date.parse(starts[index]) + bucket * 1000)

/** What a bar has: its time, how many, and the most frequent of them. */
export function told({ starts, bucket, series }, index) {
  const total = series.reduce((sum, { counts }) => sum + counts[index], 0)
  const top = series.map(({ value, counts }, place) => ({ name: value ?? 'others', count: counts[index], place })).filter(({ count }) => count > 0)
  const from = shownTime(starts[index]).slice(0, bucket % 60 === 0 ? 16 : 19)
  return { time: `${from} ${zoneName()}`, total: plural(total, 'event'), top: top.toSorted((one, other) => other.count - one.count).slice(0, TOP) }
}

/** A box in the chart that tells of the bar under the mouse. */
export function tip(figures, colours) {
  const element = h('div', { class: 'tip', hidden: true, 'aria-hidden': 'true' })
  let shown = null
  const at = (index, left, width) => {
    element.hidden = index === null
    if (index === null) return
    element.style.transform = left > width / 2 ? `translateX(${left - element.offsetWidth - 12}px)` : `translateX(${left + 12}px)`
    if (index === shown) return
    shown = index
    const { time, total, top } = told(figures, index)
    const rows = top.map(({ name, count, place }) => {
      const swatch = h('span', { class: 'swatch' })
      swatch.style.background = colours[place]
      return h('div', {}, swatch, h('bdi', {}, name), ` ${number(count)}`)
    })
    element.replaceChildren(h('div', {}, h('strong', {}, time)), h('div', {}, total), ...rows)
  }
  return { element, at }
}
