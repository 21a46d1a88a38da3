// What was understood of a search, each part with a button that takes it out again.

import { conditionWords, readCondition } from '../conditions.js'
import { h } from '../dom.js'
import { time } from '../format.js'

const KINDS = {
  event_type: (text) => `type: ${text}`,
  source_id: (text) => `source: ${text}`,
  start_time: (text) => `from ${time(text)}`,
  end_time: (text) => `to ${time(text)}`,
  key: (text) => text,
  word: (text) => `has “${text}”`,
  is: (text) => conditionWords(readCondition(text), false),
  not: (text) => conditionWords(readCondition(text), true),
  sort: () => 'in order of arrival',
  order: (text) => (text === 'asc' ? 'oldest first' : `order ${text}`),
}

/** Which parameters of the address are a search. */
export const SEARCHED = Object.keys(KINDS)

export function chips(state, go) {
  const items = SEARCHED.flatMap((name) => state.getAll(name).filter((text) => text !== '').map((text, index) => [name, text, index]))
  if (items.length === 0) return null
  const without = (name, index) => ({ [name]: state.getAll(name).filter((_, place) => place !== index), cursor: null, trail: null, event: null })
  const chip = ([name, text, index]) => {
    const words = KINDS[name](text)
    return h('li', {}, h('bdi', {}, words), h('button', { type: 'button', class: 'quiet', 'aria-label': `Remove ${words}`, onclick: () => go(without(name, index)) }, '×'))
  }
  return h('ul', { class: 'chips', 'aria-label': 'What was understood' }, items.map(chip))
}
