// Events over time as stacked bars that answer to the mouse, and the same as a table for whom pictures say nothing.

import { h } from './dom.js'
import { number } from './format.js'
import { barAt, segmentAt, stack, tip } from './bars.js'
import uPlot from './vendor/uplot-1.6.32/uPlot.esm.js'
import { isLocal, shownTime, zoneName } from './zone.js'

export const COLOURS = ['#2563eb', '#0d9488', '#d97706', '#7c3aed', '#db2777', '#65a30d', '#0891b2', '#dc2626', '#64748b', '#a16207', '#059669', '#9333ea', '#8b95a5']
const HEIGHT = 260
const SHORTEST_DRAG = 6
const THIS_YEAR = new Date().toISOString().slice(0, 5)

/**
 * @param {object} figures as GET /api/v1/stats answers
 * @param {{open: (index: number, value?: string | null) => void, zoom?: (start: number, end: number) => void, choose?: (value: string) => void}} answers
 *     open: a bar was clicked, or a segment of it; zoom: a range was drawn, in milliseconds; choose: an entry of the legend was clicked
 * @param {{height?: number, table?: boolean}} look
 */
export function stackedBars(figures, answers, { height = HEIGHT, table = true } = {}) {
  const place = h('div', { class: 'chart' })
  let width = 0
  const draw = () => {
    if (!place.isConnected) return
    width = place.clientWidth
    place.replaceChildren()
    plot(figures, place, answers, height)
  }
  new ResizeObserver(() => place.clientWidth === width || draw()).observe(place) // it grows in height by what is drawn
  // A canvas has its colours from when it was drawn, so it is drawn again when the theme changes.
  const themes = new MutationObserver(() => (place.isConnected ? draw() : themes.disconnect()))
  themes.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  return [place, legend(figures.series, answers.choose), table && asTable(figures, answers.open)]
}

const nameOf = ({ value }) => value ?? 'others'

function plot(figures, place, answers, height) {
  const { starts, bucket, series } = figures
  const seconds = starts.map((start) => Date.parse(start) / 1000 + bucket / 2)
  const style = getComputedStyle(document.documentElement)
  const [soft, line] = [style.getPropertyValue('--soft'), style.getPropertyValue('--line')]
  const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line } }
  const bars = uPlot.paths.bars({ size: [0.85, 60], align: 0 })
  const drawn = series.map((one, index) => ({ label: nameOf(one), fill: COLOURS[index], stroke: COLOURS[index], width: 0, paths: bars, points: { show: false } }))
  const told = tip(figures, COLOURS)
  let dragged = false
  const options = {
    width: place.clientWidth,
    height,
    legend: { show: false },
    cursor: { drag: { x: Boolean(answers.zoom), setScale: false }, points: { show: false } },
    tzDate: (stamp) => (isLocal() ? new Date(stamp * 1e3) : uPlot.tzDate(new Date(stamp * 1e3), 'Etc/UTC')),
    scales: { x: { time: true, range: () => [Date.parse(starts[0]) / 1000, Date.parse(starts.at(-1)) / 1000 + bucket] }, y: { range: (_, __, most) => [0, Math.max(1, most)] } },
    axes: [{ ...axis, values: moments }, { ...axis, size: 60, values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? number(value) : '')) }],
    series: [{}, ...drawn.toReversed()],
    hooks: {
      setCursor: [(one) => told.at(one.cursor.left < 0 ? null : barAt(figures, one.posToVal(one.cursor.left, 'x')), one.cursor.left, one.over.clientWidth)],
      setSelect: [
        ({ select, posToVal }) => {
          if (select.width < SHORTEST_DRAG) return
          dragged = true
          answers.zoom(Math.floor(posToVal(select.left, 'x')) * 1000, Math.ceil(posToVal(select.left + select.width, 'x')) * 1000)
        },
      ],
    },
  }
  const chart = new uPlot(options, [seconds, ...stack(series).toReversed()], place)
  chart.over.append(told.element)
  chart.over.addEventListener('pointerdown', () => (dragged = false))
  chart.over.addEventListener('click', () => {
    const index = chart.cursor.left < 0 || dragged ? null : barAt(figures, chart.posToVal(chart.cursor.left, 'x'))
    if (index !== null) answers.open(index, segmentAt(figures, index, chart.posToVal(chart.cursor.top, 'y')))
  })
  chart.root.setAttribute('role', 'img')
  chart.root.setAttribute('aria-label', 'Events over time; the table below has the same figures.')
}

/** Times of the axis: the date at midnight and at first, with its year if that is another than now; else the time. */
const moments = (_, splits) =>
  splits.map((seconds, index) => {
    const text = shownTime(new Date(seconds * 1000).toISOString())
    const day = text.slice(text.startsWith(THIS_YEAR) ? 5 : 0, 10)
    return index === 0 || text.slice(11, 19) === '00:00:00' ? day : text.slice(11, 16)
  })

function legend(series, choose) {
  const items = series.map((one, index) => {
    const swatch = h('span', { class: 'swatch' })
    swatch.style.background = COLOURS[index]
    const words = [swatch, h('bdi', {}, one.value === null && series.length === 1 ? 'all' : nameOf(one)), ` ${number(one.total)}`]
    return h('li', {}, choose && one.value !== null ? h('button', { type: 'button', class: 'quiet', title: 'Only this', onclick: () => choose(one.value) }, words) : words)
  })
  return h('ul', { class: 'legend' }, items)
}

function asTable({ starts, series }, open) {
  const head = [h('th', { scope: 'col' }, `From (${zoneName()})`), series.map((one) => h('th', { scope: 'col' }, nameOf(one)))]
  const rows = starts.map((start, index) => {
    const show = h('button', { type: 'button', onclick: () => open(index) }, shownTime(start))
    return h('tr', {}, h('td', {}, show), series.map(({ counts }) => h('td', {}, number(counts[index]))))
  })
  return h('details', { class: 'as-table' }, h('summary', {}, 'Show as table'), h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Events over time' }, h('table', {}, h('thead', {}, h('tr', {}, head)), h('tbody', {}, rows))))
}
