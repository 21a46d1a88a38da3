// What happened lately, how the chain stands, and what the last audits said.

import { ask } from '../api.js'
import { stackedBars } from '../chart.js'
import { h } from '../dom.js'
import { ago, number, plural } from '../format.js'
import { badge, card, empty, hash, moment } from '../parts.js'

const RANGES = { hour: ['Hour', 3_600], day: ['Day', 86_400], week: ['Week', 7 * 86_400], month: ['30 days', 30 * 86_400] }
const AUDITS = 60
const DETAILED = 20

export async function render({ state, chain, go, link, signal }) {
  const options = { signal }
  const by = state.get('by') === 'source_id' ? 'source_id' : 'event_type'
  const [chains, detail, audits, minute] = await Promise.all([
    ask('/chains', { limit: 1000 }, options).then((found) => found.chains),
    ask(`/chains/${encodeURIComponent(chain)}`, {}, options).catch(absent),
    ask('/audits', { chain, limit: AUDITS }, options).then((found) => found.audits),
    ask('/stats', { chain, start_time: new Date(Date.now() - 60_000).toISOString(), bucket: 60 }, options),
  ])
  if (detail === null) return empty(`Nothing is logged in the chain ${chain} yet.`, 'The first event makes the chain: ', h('code', {}, 'POST /api/v1/events'), '.')
  const figures = await history({ state, chain, by, detail, signal })
  return [
    tiles(detail, audits, minute.total / 60),
    card('Events over time', rangeChoice(figures.range, by, go), pictureOf(figures, by, { go, chain })),
    card('The last audits', strip(audits, link)),
    card('Chains', await chainTable(chains, chain, options)),
  ]
}

const absent = (error) => {
  if (error.status === 404) return null
  throw error
}

/** The chosen range up to now; where nothing happened lately, up to the newest event. */
async function history({ state, chain, by, signal }) {
  const range = RANGES[state.get('range')] ? state.get('range') : 'week'
  const seconds = RANGES[range][1]
  const find = (end) => {
    const start_time = new Date(end - seconds * 1000).toISOString()
    return ask('/stats', { chain, by, start_time, end_time: new Date(end).toISOString() }, { signal })
  }
  const now = await find(Date.now() + 1)
  if (now.total > 0) return { ...now, range }
  const [newest] = (await ask('/events', { chain, limit: 1 }, { signal })).events
  return { ...(newest ? await find(Date.parse(newest.timestamp) + 1) : now), range }
}

function tiles(detail, audits, rate) {
  const last = audits.find((audit) => audit.status !== 'running')
  const verified = audits.find((audit) => audit.status === 'intact')?.to_seq ?? 0
  const anchored = detail.last_checkpoint?.size ?? 0
  const tile = (title, value, more) => h('div', { class: 'tile' }, h('dt', {}, title), h('dd', {}, value, ' ', h('small', {}, more)))
  return h(
    'dl',
    { class: 'tiles' },
    tile('Events', number(detail.size), `in ${detail.chain}`),
    tile('Rate now', number(Math.round(rate * 10) / 10), 'events/s by their own time'),
    tile('Verified', number(verified), `of ${number(detail.size)}`),
    tile('Anchored', number(anchored), plural(detail.size - anchored, 'event is not yet', 'events are not yet')),
    tile('Last audit', last ? badge(last.status) : '–', last ? ago(last.finished_at ?? last.started_at) : 'none yet'),
  )
}

function rangeChoice(range, by, go) {
  const button = (name, title, pressed, changes) =>
    h('button', { type: 'button', 'aria-pressed': String(pressed), class: pressed ? 'main' : '', onclick: () => go(changes) }, title)
  return h(
    'div',
    { class: 'row' },
    h('div', { role: 'group', 'aria-label': 'Range', class: 'row' }, Object.entries(RANGES).map(([name, [title]]) => button(name, title, name === range, { range: name }))),
    h('div', { role: 'group', 'aria-label': 'Colours by', class: 'row' }, button('type', 'By type', by === 'event_type', { by: null }), button('source', 'By source', by === 'source_id', { by: 'source_id' })),
  )
}

function pictureOf(figures, by, { go }) {
  if (figures.total === 0) return empty('No event in this range.', 'Choose a longer one.')
  const open = (index) => {
    const start = Date.parse(figures.starts[index])
    const range = { start_time: new Date(start).toISOString(), end_time: new Date(start + figures.bucket * 1000).toISOString() }
    return go({ view: 'events', ...range }, { clear: true })
  }
  return stackedBars(figures, open)
}

function strip(audits, link) {
  if (audits.length === 0) return empty('No audit has run yet.', h('a', { href: link({ view: 'audits' }) }, 'Run one now'))
  const items = audits.toReversed().map((audit) => {
    const words = `${audit.mode} audit ${ago(audit.started_at)}: ${audit.status}, ${plural(audit.findings_total, 'finding')}`
    return h('li', {}, h('a', { class: audit.status, href: link({ view: 'audits', audit: audit.audit_id }), title: words, 'aria-label': words }))
  })
  return [h('ul', { class: 'strip' }, items), h('p', { class: 'soft' }, 'Oldest first; green is intact, red is tampered, amber is incomplete.')]
}

/** Chains by name; how far each is verified and anchored takes two requests a chain, so only the first ones say it. */
async function chainTable(chains, current, options) {
  const shown = chains.slice(0, DETAILED)
  const details = await Promise.all(shown.map(({ chain }) => ask(`/chains/${encodeURIComponent(chain)}`, {}, options)))
  const head = ['Chain', 'Events', 'Verified', 'Anchored', 'Not anchored', 'Head', 'Last audit'].map((title) => h('th', { scope: 'col' }, title))
  const rows = details.map((detail) => {
    const anchored = detail.last_checkpoint?.size ?? 0
    const audit = detail.last_audit
    return h(
      'tr',
      { 'aria-selected': String(detail.chain === current) },
      h('td', {}, h('a', { href: `/?${new URLSearchParams({ chain: detail.chain })}` }, detail.chain)),
      h('td', {}, number(detail.size)),
      h('td', {}, audit?.status === 'intact' ? number(audit.to_seq) : '–'),
      h('td', {}, meter(anchored, detail.size)),
      h('td', {}, number(Math.max(0, detail.size - anchored))),
      h('td', {}, hash(detail.hash)),
      h('td', {}, audit ? badge(audit.status) : '–'),
    )
  })
  const more = chains.length > shown.length && h('p', { class: 'soft' }, `${plural(chains.length - shown.length, 'chain')} more: choose one at the top.`)
  return [h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Chains' }, h('table', {}, h('thead', {}, h('tr', {}, head)), h('tbody', {}, rows))), more]
}

function meter(part, whole) {
  const filled = h('span', {})
  filled.style.width = `${whole === 0 ? 0 : (100 * part) / whole}%`
  return h('div', { class: 'row' }, h('span', { class: 'meter', role: 'img', 'aria-label': `${number(part)} of ${number(whole)}` }, filled), number(part))
}
