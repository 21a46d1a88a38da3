// The chain as a picture: each event a box, each link a line; what was found and stands is marked where it is.

import { ask } from '../api.js'
import { chainDetail } from '../chains.js'
import { fill, h, svg } from '../dom.js'
import { eventDetail } from '../detail.js'
import { number, plural, short } from '../format.js'
import { COLOURS } from '../chart.js'
import { card, damagedChain, empty, errorBox, loading, takeTurn } from '../parts.js'
import { eventsOf } from '../range.js'
import { findingNotice } from '../meaning.js'
import { marks, standingFindings } from '../findings.js'
import { witnessedCard } from '../witnesses.js'

const ZOOMS = [8, 16, 32, 64, 128]
const DRAWN = { width: 1000, height: 150 }

export async function render({ state, chain, go, link, signal }) {
  const head = await chainDetail(chain, { signal })
  if (!head || head.size === 0) return empty(`No events in chain “${chain}” yet.`)
  const found = await standingFindings(chain, head.standing, signal)
  if (head.damaged) return [damagedChain(chain), card('What was found', marks(chain, { ...head.standing, damaged: true }, found, (seq) => go({ seq }), link))]
  const findings = found.bySeq
  const place = { size: head.size, zoom: ZOOMS.includes(Number(state.get('zoom'))) ? Number(state.get('zoom')) : 16, seq: seqOf(state, head.size) }
  const picture = h('div', {})
  const detail = h('div', {})
  const show = (seq, zoom = place.zoom) => go({ seq, zoom }, { replace: true })
  const range = rangeOf(place)
  await draw({ chain, range, place, findings, picture, detail, link, signal })
  return [
    card('Links', scrubber(place, range, show), picture, marks(chain, head.standing, found, show, link)),
    card('Event', detail),
    await witnessedCard(chain, head, link, signal),
  ]
}

const seqOf = (state, size) => {
  const given = Number.parseInt(state.get('seq') ?? '', 10)
  return Math.min(size - 1, Math.max(0, Number.isSafeInteger(given) ? given : size - 1))
}

function rangeOf({ size, zoom, seq }) {
  const start = Math.max(0, Math.min(seq - Math.floor(zoom / 2), size - zoom))
  return [start, Math.min(size, start + zoom)]
}

function scrubber({ size, zoom, seq }, [start, end], show) {
  const slider = h('input', { type: 'range', min: 0, max: size - 1, value: seq, id: 'seq', 'aria-valuetext': `event ${seq} of ${size}`, onchange: (event) => show(Number(event.target.value)) })
  slider.style.flex = '1 1 240px'
  const step = (title, to) => h('button', { type: 'button', id: title.toLowerCase(), disabled: to < 0 || to >= size, onclick: () => show(to) }, title)
  const zooms = h('select', { id: 'zoom', onchange: (event) => show(seq, Number(event.target.value)) }, ZOOMS.map((value) => h('option', { value, selected: value === zoom }, plural(value, 'event'))))
  return h(
    'div',
    { class: 'row' },
    h('label', { for: 'seq' }, 'Seq'),
    slider,
    step('Previous', seq - 1),
    step('Next', seq + 1),
    h('label', { for: 'zoom' }, 'Zoom'),
    zooms,
    h('span', { class: 'soft' }, `${number(start)} to ${number(end - 1)} of ${number(size)}`),
  )
}

async function draw({ chain, range: [start, end], place, findings, picture, detail, link, signal }) {
  const events = await eventsOf(chain, start, end, signal)
  const bySeq = new Map(events.map((event) => [event.seq, event]))
  const pick = async (seq) => {
    if (signal.aborted) return
    for (const box of picture.querySelectorAll('.event')) mark(box, Number(box.dataset.seq) === seq)
    const address = new URL(location.href)
    address.searchParams.set('seq', seq)
    history.replaceState(history.state, '', address)
    await showEvent(bySeq.get(seq), seq, { chain, detail, findings, link, signal })
  }
  fill(picture, drawing({ start, end, bySeq, findings, chosen: place.seq, pick }))
  await pick(place.seq)
}

function drawing({ start, end, bySeq, findings, chosen, pick }) {
  const width = DRAWN.width / (end - start)
  const types = [...new Set([...bySeq.values()].map((event) => event.event_type))].sort()
  const boxes = []
  for (let seq = start; seq < end; seq += 1) {
    const [event, x] = [bySeq.get(seq), (seq - start) * width]
    const before = bySeq.get(seq - 1)
    const linked = !event || !before || event.prev_hash === before.hash
    if (seq > start) boxes.push(svg('line', { class: 'link', x1: x - width * 0.15, x2: x + width * 0.15, y1: 70, y2: 70, 'stroke-width': 3, 'stroke-dasharray': linked ? null : '2 4' }))
    boxes.push(box({ seq, event, x, width, colour: COLOURS[types.indexOf(event?.event_type) % COLOURS.length], found: findings.get(seq), chosen: seq === chosen, pick }))
  }
  const words = `Events ${start} to ${end - 1}, each linked to the one before it`
  return svg('svg', { class: 'chain-picture', viewBox: `0 0 ${DRAWN.width} ${DRAWN.height}`, preserveAspectRatio: 'none', role: 'group', 'aria-label': words }, boxes)
}

function box({ seq, event, x, width, colour, found, chosen, pick }) {
  const words = `${seq} ${event ? event.event_type : 'missing'}${found ? `, finding: ${found.kind}` : ''}`
  const open = (pressed) => {
    const step = { ArrowLeft: 'previousSibling', ArrowRight: 'nextSibling' }[pressed.key]
    if (step) return walk(pressed, step)
    if (pressed.type === 'keydown' && pressed.key !== 'Enter' && pressed.key !== ' ') return
    pressed.preventDefault()
    pick(seq)
  }
  const rectangle = svg('rect', {
    class: `event${found || !event ? ' found' : ' tinted'}${chosen ? ' chosen' : ''}`,

    'data-seq': seq,
    x: x + width * 0.15,
    y: 45,
    width: width * 0.7,
    height: 50,
    rx: 4,
    role: 'button',
    tabindex: chosen ? 0 : -1,
    'aria-label': words,
    onclick: open,
    onkeydown: open,
  })
  if (!found && event) rectangle.style.fill = colour
  rectangle.append(svg('title', {}, words))
  const labels = width >= 55 && [svg('text', { x: x + width / 2, y: 36, 'text-anchor': 'middle' }, seq), event && svg('text', { x: x + width / 2, y: 114, 'text-anchor': 'middle' }, short(event.hash).slice(0, 8))]
  return [rectangle, labels]
}

/** One stop for the Tab key, whatever the picture shows: the chosen event. Arrows walk from there. */
function mark(box, isChosen) {
  box.classList.toggle('chosen', isChosen)
  box.setAttribute('tabindex', isChosen ? 0 : -1)
}

function walk(pressed, step) {
  let next = pressed.currentTarget[step]
  while (next && !next.matches('.event')) next = next[step]
  pressed.preventDefault()
  if (!next) return
  next.focus()
  next.dispatchEvent(new MouseEvent('click'))
}

async function showEvent(event, seq, { chain, detail, findings, link, signal }) {
  detail.replaceChildren(loading())
  const isLast = takeTurn(detail)
  const isGone = () => signal.aborted || !isLast()
  const found = findings.get(seq)
  try {
    const shown = event ? await eventDetail(event, link, signal, { found }) : h('div', {}, found && findingNotice(found, chain), empty(`Event ${number(seq)} is not there.`))
    if (!isGone()) detail.replaceChildren(shown)
  } catch (error) {
    if (!isGone()) detail.replaceChildren(errorBox(error))
  }
}
