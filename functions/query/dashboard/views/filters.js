// The filters as fields: times as people type them, types and sources one a line, and ranges for one click.

import { ProblemError } from '../api.js'
import { fill, h } from '../dom.js'
import { ALLOWED, readWhen } from '../when.js'
import { SEARCHED } from './chips.js'

export const FILTERS = ['start_time', 'end_time', 'event_type', 'source_id']
const TIMES = ['start_time', 'end_time']
const RANGES = [['15 min', '-15m'], ['Hour', '-1h'], ['Day', '-1d'], ['Week', '-7d'], ['All', '']]
const AWAY = { cursor: null, trail: null, event: null }
/** A desk and no phone: then what may be folded is open. */
export const isWide = () => matchMedia('(min-width: 801px)').matches

/** @returns {{element: HTMLElement, explain: (error: Error) => boolean}} explain shows at its field what the log refuses; true: there is more to say */
export function filterForm(filters, live, go) {
  const troubles = Object.fromEntries(FILTERS.map((name) => [name, h('p', { class: 'error small', role: 'alert', id: `${name}-error`, hidden: true })]))
  const shared = (name) => ({ id: name, name, 'aria-describedby': `${name}-error` })
  const field = (name, title, inner) => h('div', { class: 'field' }, h('label', { for: name }, title), inner, troubles[name])
  const when = (name, title, placeholder) => field(name, title, h('input', { ...shared(name), value: filters[name].join(', '), placeholder, size: 22, title: ALLOWED }))
  const lines = (name, title) => field(name, title, h('textarea', { ...shared(name), rows: 1, spellcheck: 'false' }, filters[name].join('\n')))
  const complain = (name, words) => {
    fill(troubles[name], words)
    troubles[name].hidden = false
    const control = form.elements[name]
    control.setAttribute('aria-invalid', 'true')
    element.open = true
    return control
  }
  const submit = (event) => {
    event.preventDefault()
    for (const trouble of Object.values(troubles)) trouble.hidden = true
    const now = Date.now()
    const times = Object.fromEntries(TIMES.map((name) => [name, readWhen(form.elements[name].value, now, name === 'end_time')]))
    const wrong = TIMES.filter((name) => times[name] === null).map((name) => complain(name, `“${form.elements[name].value.trim()}” is no time. Write ${ALLOWED}.`))
    if (wrong.length > 0) return wrong[0].focus()
    if (times.start_time && times.end_time && times.start_time > times.end_time) return complain('end_time', 'This is earlier than “From”.').focus()
    const lists = ['event_type', 'source_id'].map((name) => [name, split(form.elements[name].value)])
    go({ ...times, ...Object.fromEntries(lists), ...AWAY })
  }
  const range = ([title, from]) => h('button', { type: 'button', class: 'quiet', onclick: () => go({ start_time: readWhen(from, Date.now()), end_time: null, ...AWAY }) }, title)
  const clear = () => go({ ...Object.fromEntries(SEARCHED.map((name) => [name, null])), ...AWAY })
  const form = h(
    'form',
    { class: 'filters', onsubmit: submit, 'aria-label': 'Filters' },
    when('start_time', 'From (UTC unless it has a zone)', '2026-11-23, -2h, yesterday'),
    when('end_time', 'To (UTC unless it has a zone)', '2026-11-24, now'),
    lines('event_type', 'Event types, one a line'),
    lines('source_id', 'Sources, one a line'),
    h('button', { id: 'filter', class: 'main' }, 'Search'),
    h('button', { type: 'button', id: 'clear', onclick: clear }, 'Clear'),
  )
  const follow = h('button', { type: 'button', id: 'live', role: 'switch', 'aria-checked': String(live), onclick: () => go({ live: live ? null : 'on', cursor: null, trail: null }) }, 'Follow live')
  const element = h('details', { class: 'filter-box', open: isWide() && FILTERS.some((name) => filters[name].some(Boolean)) }, h('summary', {}, 'Time range and filters'), form)
  const bar = h('div', { class: 'row' }, h('div', { class: 'row ranges', role: 'group', 'aria-label': 'Time range' }, RANGES.map(range)), follow)
  return { element: [bar, element], explain: (error) => explain(error, complain) }
}

/** The log names parameters; each is told at its own field, in the log's words. */
function explain(error, complain) {
  if (!(error instanceof ProblemError) || error.status !== 422) return true
  const at = error.errors.map(({ pointer, detail }) => [pointer.split(/\//)[2], detail])
  if (at.length === 0 || at.some(([name]) => !FILTERS.includes(name))) return true
  for (const [name, detail] of at) complain(name, detail)
  return false
}

/** Names as they are: one may have commas, and blanks at its ends; none has a line break. */
const split = (text) => text.split('\n').filter((line) => line.trim() !== '')
