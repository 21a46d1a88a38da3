// One line that says which events, and the look for its words: here, page after page, as the log has no index of payloads.

import { ask } from '../api.js'
import { fill, h } from '../dom.js'
import { searchFields } from '../fields.js'
import { number } from '../format.js'
import { errorBox } from '../parts.js'
import { suggesting } from './suggesting.js'
import { formatSearch, parseSearch, SearchError } from '../search.js'

const PAGE = 1000
const PAGES = 20
const ROWS = 500
const ALL_TIMES = { start_time: '1970-01-01T00:00:00Z', end_time: '10000-01-01T00:00:00Z' }

/** The box has what the address says, whoever wrote it. */
export function searchForm({ event_type: types, source_id: sources, key: keys, start_time, end_time }, words, order, { go, understood, chain, signal }) {
  const text = formatSearch({ types, sources, keys, words, start_time: start_time[0], end_time: end_time[0], order: order ?? undefined })
  const trouble = h('p', { class: 'error', role: 'alert', id: 'search-error', hidden: true })
  const example = 'type:user.login* source:web-1 after:7d "card expired"'
  const input = h('input', { id: 'search', name: 'search', value: text, placeholder: example, spellcheck: 'false', autocomplete: 'off', 'aria-describedby': 'search-error' })
  const submit = async (event) => {
    event.preventDefault()
    try {
      const fields = Object.keys(await searchFields(chain))
      if (signal.aborted) return
      const found = parseSearch(input.value, Date.now(), fields)
      const times = { start_time: found.start_time, end_time: found.end_time, order: found.order }
      go({ ...(found.chain && { chain: found.chain }), event_type: found.types, source_id: found.sources, key: found.keys, word: found.words, ...times, cursor: null, trail: null, event: null })
    } catch (error) {
      if (!(error instanceof SearchError)) throw error
      fill(trouble, error.message)
      trouble.hidden = false
      input.setAttribute('aria-invalid', 'true')
      const before = Array.from(input.value).slice(0, error.at - 1).join('').length
      input.focus()
      input.setSelectionRange(before, input.value.length)
    }
  }
  const box = h('div', { class: 'field' }, h('label', { for: 'search' }, 'Search'), input, suggesting(input, chain, signal))
  return h('form', { class: 'search', onsubmit: submit, role: 'search' }, box, h('button', { class: 'main', id: 'search-now' }, 'Search'), trouble, understood)
}

/** What a search by fields may have left out: the log says how far it is indexed, so that nothing found is never a guess. */
export const unindexed = (search) =>
  search && !search.complete && h('p', { class: 'notice', id: 'unindexed' }, 'Not every event of this chain is indexed by these search fields, so there may be more. Its operator indexes older events with make reindex.')

/**
 * Show the events that fit what is looked at here, as they are found, with an honest end: a look reads 20 pages of 1,000, or until 500 fit.
 *
 * @param {object} parameters what the log itself looks for
 * @param {{fit: (event: object) => boolean}} local
 * @param {{rows: HTMLElement, region: HTMLElement, status: HTMLElement, footer: HTMLElement, signal: AbortSignal, makeRow: (event: object) => HTMLElement}} places
 */
export async function lookFor(parameters, local, { rows, region, status, footer, signal, makeRow }) {
  const look = { searched: 0, found: 0, cursor: undefined, total: null }
  const report = (isDone) => {
    const of = look.total === null ? '' : ` of ${number(Math.max(look.total, look.searched))}`
    const some = isDone && !look.cursor ? `all ${number(look.searched)}` : `${number(look.searched)}${of}`
    status.textContent = `Searched ${some} events: ${number(look.found)} fit.${isDone ? '' : ' Searching …'}`
  }
  const goOn = async () => {
    fill(footer)
    try {
      look.total ??= await totalOf(parameters, signal)
      const shown = look.found
      for (let page = 0; page < PAGES && look.cursor !== null && look.found - shown < ROWS; page++) {
        report(false)
        const { events, next_cursor: cursor, search } = await ask('/events', { ...parameters, limit: PAGE, cursor: look.cursor }, { signal })
        if (look.searched === 0) region.before(...[unindexed(search)].filter(Boolean))
        const fitting = events.filter((event) => local.fit(event))
        rows.append(...fitting.map(makeRow))
        Object.assign(look, { searched: look.searched + events.length, found: look.found + fitting.length, cursor })
      }
      report(true)
      if (look.cursor) fill(footer, h('button', { type: 'button', id: 'go-on', onclick: goOn }, 'Search on'))
    } catch (error) {
      if (!signal.aborted) fill(footer, errorBox(error, goOn))
    }
  }
  await goOn()
}

/** How many events the log finds; null: too many to be counted. */
async function totalOf({ order: _, ...parameters }, signal) {
  const given = { ...parameters }
  for (const [name, value] of Object.entries(ALL_TIMES)) given[name] = [parameters[name]?.[0] || value]
  if (given.start_time[0] === given.end_time[0]) return 0
  return ask('/stats', given, { signal }).then(
    ({ total }) => total,
    (error) => {
      if (error.status !== 422) throw error
      return null
    },
  )
}
