// Events over time as stacked bars, and the same as a table for whom pictures say nothing.

import { h } from './dom.js'
import { number, time } from './format.js'
import uPlot from './vendor/uplot-1.6.32/uPlot.esm.js'

export const COLOURS = ['#2563eb', '#0d9488', '#d97706', '#7c3aed', '#db2777', '#65a30d', '#0891b2', '#dc2626', '#64748b', '#a16207', '#059669', '#9333ea', '#8b95a5']
const HEIGHT = 260
const THIS_YEAR = new Date().toISOString().slice(0, 5)

/**
 * @param {object} figures as GET /api/v1/stats answers
 * @param {(index: number) => void} open called with the bucket that was clicked
 */
export function stackedBars(figures, open) {
  const place = h('div', { class: 'chart' })
  const draw = () => {
    if (!place.isConnected) return
    place.replaceChildren()
    plot(figures, place, open)
  }
  new ResizeObserver(draw).observe(place)
  // A canvas has its colours from when it was drawn, so it is drawn again when the theme changes.
  const themes = new MutationObserver(() => (place.isConnected ? draw() : themes.disconnect()))
  themes.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  return [place, legend(figures.series), asTable(figures, open)]
}

const nameOf = ({ value }) => value ?? 'others'

function plot({ starts, bucket, series }, place, open) {
  const seconds = starts.map((start) => Date.parse(start) / 1000 + bucket / 2)
  const style = getComputedStyle(document.documentElement)
  const [soft, line] = [style.getPropertyValue('--soft'), style.getPropertyValue('--line')]
  const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line } }
  const bars = uPlot.paths.bars({ size: [0.85, 60], align: 0 })
  const drawn = series.map((one, index) => ({ label: nameOf(one), fill: COLOURS[index], stroke: COLOURS[index], width: 0, paths: bars, points: { show: false } }))
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { setScale: false }, points: { show: false } },
    tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1e3), 'Etc/UTC'),
    scales: { x: { time: true, range: () => [Date.parse(starts[0]) / 1000, Date.parse(starts.at(-1)) / 1000 + bucket] }, y: { range: (_, __, most) => [0, Math.max(1, most)] } },
    axes: [{ ...axis, values: moments }, { ...axis, size: 60, values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? number(value) : '')) }],
    series: [{}, ...drawn.toReversed()],
  }
  const chart = new uPlot(options, [seconds, ...stack(series).toReversed()], place)
  chart.over.addEventListener('click', () => chart.cursor.idx !== null && open(chart.cursor.idx))
  chart.root.setAttribute('role', 'img')
  chart.root.setAttribute('aria-label', 'Events over time; the table below has the same figures.')
}

/** Times of the axis, in UTC: the date at midnight and at first, with its year if that is another than now; else the time. */
const moments = (_, splits) =>
  splits.map((seconds, index) => {
    const text = new Date(seconds * 1000).toISOString()
    const day = text.slice(text.startsWith(THIS_YEAR) ? 5 : 0, 10)
    return index === 0 || seconds % 86_400 === 0 ? day : text.slice(11, 16)
  })

/** Each series on top of those before it; the highest is drawn first. */
function stack(series) {
  let below = series[0].counts.map(() => 0)
  return series.map(({ counts }) => (below = counts.map((count, index) => count + below[index])))
}

function legend(series) {
  const items = series.map((one, index) => {
    const swatch = h('span', { class: 'swatch' })
    swatch.style.background = COLOURS[index]
    return h('li', {}, swatch, h('bdi', {}, one.value === null && series.length === 1 ? 'all' : nameOf(one)), ` ${number(one.total)}`)
  })
  return h('ul', { class: 'legend' }, items)
}

function asTable({ starts, series }, open) {
  const head = [h('th', { scope: 'col' }, 'From (UTC)'), series.map((one) => h('th', { scope: 'col' }, nameOf(one)))]
  const rows = starts.map((start, index) => {
    const show = h('button', { type: 'button', onclick: () => open(index) }, time(start))
    return h('tr', {}, h('td', {}, show), series.map(({ counts }) => h('td', {}, number(counts[index]))))
  })
  return h('details', {}, h('summary', {}, 'The same as a table'), h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Events over time' }, h('table', {}, h('thead', {}, h('tr', {}, head)), h('tbody', {}, rows))))
}
