// What happened lately, how the chain stands, and what the last audits said.

import { ask, ProblemError } from '../api.js'
import { allChains, chainDetail } from '../chains.js'
import { barRange, rangeOf } from '../bars.js'
import { stackedBars } from '../chart.js'
import { fill, h } from '../dom.js'
import { ago, day, duration, number, plural } from '../format.js'
import { HOME } from '../home.js'
import { badge, card, damagedChain, empty, errorBox, hash, loading } from '../parts.js'
import { counted, worstFirst } from '../standing.js'
import { rangeBefore } from '../times.js'
import { exactly } from './menu.js'
import { welcome } from './welcome.js'

const RANGES = { hour: ['Hour', 3_600], day: ['Day', 86_400], week: ['Week', 7 * 86_400], month: ['30 days', 30 * 86_400] }
const SHORTER = [7 * 86_400, 86_400, 6 * 3_600, 3_600, 600, 60]
const AUDITS = 60
const AGAIN_MILLIS = 60_000
const DETAILED = 20

export async function render(view) {
  const place = h('div', {})
  fill(place, await shown(view))
  const anew = (parts) => view.signal.aborted || !isAtRest(place) || fill(place, parts)
  const timer = setInterval(() => isAtRest(place) && shown(view).then(anew, () => {}), AGAIN_MILLIS)
  view.signal.addEventListener('abort', () => clearInterval(timer))
  if (view.signal.aborted) clearInterval(timer)
  return place
}

/** It shows itself anew where nobody looks closely: the page is seen, nothing in it has the focus, nothing is unfolded. */
const isAtRest = (place) => !document.hidden && !place.matches(':focus-within') && !place.querySelector('details[open]')

async function shown({ state, chain, go, link, signal }) {
  const options = { signal }
  const by = state.get('by') === 'source_id' ? 'source_id' : 'event_type'
  const [chains, detail, audits, minute] = await Promise.all([
    allChains(signal).then((found) => found.chains),
    chainDetail(chain, options),
    ask('/audits', { chain, limit: AUDITS }, options).then((found) => found.audits),
    countedSince(60, Date.now() + 1, { chain, bucket: 60 }, signal).catch((error) => {
      if (!error.isDamage) throw error
      return null
    }),
  ])
  if (detail === null) return welcome({ chain, again: () => go({}, { replace: true }), signal })
  const range = Object.hasOwn(RANGES, state.get('range')) ? state.get('range') : 'week'
  if (detail.damaged) return [damagedChain(chain), card('Recent audits', strip(audits, detail.standing, link)), card('Chains', await chainTable(chains, chain, options))]
  const picture = h('div', {}, loading('Counting …'))
  showPicture(picture, { range, chain, by, go, signal })
  return [
    tiles(detail, audits, minute && minute.total / 60),
    card('Events over time', rangeChoice(range, by, go), picture),
    card('Recent audits', strip(audits, detail.standing, link)),
    card('Chains', await chainTable(chains, chain, options)),
  ]
}

/** The rest of the view does not wait for the figures, which take longest. */
async function showPicture(place, choice) {
  try {
    fill(place, pictureOf(await history(choice), choice))
  } catch (error) {
    if (!choice.signal.aborted) fill(place, errorBox(error, () => showPicture(place, choice)))
  }
}

/** The chosen range up to now; where nothing happened lately, up to the newest event. */
async function history({ range, chain, by, signal }) {
  const now = await longestCounted(RANGES[range][1], Date.now() + 1, { chain, by }, signal)
  if (now?.total !== 0) return now
  const [newest] = (await ask('/events', { chain, limit: 1 }, { signal })).events
  if (!newest) return now
  const figures = await longestCounted(RANGES[range][1], Date.parse(newest.timestamp) + 1, { chain, by }, signal)
  return figures && { ...figures, moved: newest.timestamp }
}

/** The log counts no more than a million events at once: then a shorter range up to the same end has to do. */
async function longestCounted(seconds, end, parameters, signal) {
  for (const fewer of [seconds, ...SHORTER.filter((one) => one < seconds)]) {
    const figures = await countedSince(fewer, end, parameters, signal)
    if (figures) return { ...figures, shortened: fewer < seconds && fewer }
  }
  return null
}

/** Null: there are too many. */
async function countedSince(seconds, end, parameters, signal) {
  return ask('/stats', { ...parameters, ...rangeBefore(end, seconds) }, { signal }).catch((error) => {
    if (error instanceof ProblemError && error.errors.some(({ pointer }) => pointer === '/query/start_time')) return null
    throw error
  })
}

function tiles(detail, audits, rate) {
  const { verdict, last_full_audit: last } = detail.standing
  const verified = verdict === 'tampered' ? '–' : number(audits.find((audit) => audit.status === 'intact')?.to_seq ?? 0)
  const anchored = detail.last_checkpoint?.size ?? 0
  const tile = (title, value, more) => h('div', { class: 'tile' }, h('dt', {}, title), h('dd', {}, value, ' ', h('small', {}, more)))
  return h(
    'dl',
    { class: 'tiles' },
    tile('Events', number(detail.size), `in ${detail.chain}`),
    tile('Rate now', rate === null ? 'very high' : number(Math.round(rate * 10) / 10), 'events/s in the last minute'),
    tile('Verified', verified, `of ${number(detail.size)}`),
    tile('Anchored', number(anchored), `${number(detail.size - anchored)} not anchored yet`),
    tile('Standing', badge(verdict), last ? `last full audit ${ago(last.finished_at)}` : 'no full audit yet'),
  )
}

function rangeChoice(range, by, go) {
  const button = (name, title, pressed, changes) =>
    h('button', { type: 'button', id: `show-${name}`, 'aria-pressed': String(pressed), class: pressed ? 'main' : '', onclick: () => go(changes) }, title)
  return h(
    'div',
    { class: 'row' },
    h('div', { role: 'group', 'aria-label': 'Range', class: 'row' }, Object.entries(RANGES).map(([name, [title]]) => button(name, title, name === range, { range: name }))),
    h('div', { role: 'group', 'aria-label': 'Colours by', class: 'row' }, button('type', 'By type', by === 'event_type', { by: null }), button('source', 'By source', by === 'source_id', { by: 'source_id' })),
  )
}

function pictureOf(figures, { go, by }) {
  if (figures === null) return empty('More than a million events a minute.', 'That is more than the log counts at once.')
  if (figures.total === 0) return empty('No event in this range.', 'Choose a longer one.')
  const events = (changes) => go({ view: 'events', ...changes }, { clear: true })
  const only = (value) => (value === undefined ? {} : { [by]: exactly(value) })
  const answers = {
    open: (index, value) => events({ ...barRange(figures, index), ...only(value) }),
    zoom: (start, end) => events(rangeOf(start, end)),
    choose: (value) => events({ ...only(value), start_time: figures.start_time, end_time: figures.end_time }),
  }
  const words = [
    figures.shortened && `More than a million events are in this range; these are from a shorter range: ${duration(figures.shortened)}.`,
    figures.moved && `Nothing in the time asked for. This is the time up to the newest event, ${day(figures.moved)}.`,
  ].filter(Boolean)
  return [words.length > 0 && h('p', { class: 'notice' }, words.join(' ')), stackedBars(figures, answers)]
}

/** Audits of what is new take nothing back: while something stands their green would praise what they did not look at. */
function strip(audits, standing, link) {
  const stands = standing?.verdict === 'tampered'
  if (audits.length === 0) return empty('No audit has run yet.', h('a', { href: link({ view: 'audits' }) }, 'Run one now'))
  const items = audits.toReversed().map((audit) => {
    const words = `${audit.mode} audit ${ago(audit.started_at)}: ${audit.status}, ${plural(audit.findings_total, 'finding')}`
    return h('li', {}, h('a', { class: stands && audit.status === 'intact' && audit.started_at >= standing.since ? 'unmoved' : audit.status, href: link({ view: 'audits', audit: audit.audit_id }), title: words, 'aria-label': words }))
  })
  return [h('ul', { class: 'strip' }, items), h('p', { class: 'soft' }, `Oldest first; green is intact, red is tampered, amber is incomplete.${stands ? ' Grey found nothing new, and says nothing of what was found before.' : ''}`)]
}

/** Chains by name; how far each is verified and anchored takes two requests a chain, so only the first ones say it. */
async function chainTable(chains, current, options) {
  const shown = worstFirst(chains).slice(0, DETAILED)
  const details = await Promise.all(shown.map((one) => (one.damaged ? one : chainDetail(one.chain, options))))
  const head = ['Chain', 'Events', 'Verified', 'Anchored', 'Not anchored', 'Head', 'Standing'].map((title) => h('th', { scope: 'col' }, title))
  const rows = details.map((detail) => {
    const name = h('td', {}, h('a', { href: `${HOME}?${new URLSearchParams({ chain: detail.chain })}` }, detail.chain))
    if (detail.damaged) return h('tr', { 'aria-selected': String(detail.chain === current) }, name, h('td', { colspan: head.length - 1 }, badge('damaged'), ' ', detail.standing.verdict === 'tampered' && badge('tampered')))
    const anchored = detail.last_checkpoint?.size ?? 0
    const audit = detail.last_audit
    const { verdict } = detail.standing
    return h(
      'tr',
      { 'aria-selected': String(detail.chain === current) },
      name,
      h('td', {}, number(detail.size)),
      h('td', {}, audit?.status === 'intact' && verdict !== 'tampered' ? number(audit.to_seq) : '–'),
      h('td', {}, meter(anchored, detail.size)),
      h('td', {}, number(Math.max(0, detail.size - anchored))),
      h('td', {}, hash(detail.hash)),
      h('td', {}, badge(verdict)),
    )
  })
  const more = chains.length > shown.length && h('p', { class: 'soft' }, `${plural(chains.length - shown.length, 'chain')} more (${counted(tally(chains, shown))}): choose one at the top.`)
  return [h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Chains' }, h('table', {}, h('thead', {}, h('tr', {}, head)), h('tbody', {}, rows))), more]
}

/** How many of the chains that are not shown there are of each verdict. */
function tally(chains, shown) {
  const rest = chains.filter((chain) => !shown.includes(chain)).map(({ standing }) => standing?.verdict)
  return Object.fromEntries([...new Set(rest)].map((verdict) => [verdict, rest.filter((one) => one === verdict).length]))
}

function meter(part, whole) {
  const filled = h('span', {})
  filled.style.width = `${whole === 0 ? 0 : (100 * part) / whole}%`
  return h('div', { class: 'row' }, h('span', { class: 'meter', role: 'img', 'aria-label': `${number(part)} of ${number(whole)}` }, filled), number(part))
}
