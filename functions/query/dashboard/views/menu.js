// A click on a value: only events that have it, or none of them.

import { h } from '../dom.js'
import { writeCondition } from '../conditions.js'
import { fieldOf, searchFields } from '../fields.js'

const FILTERS = { type: 'event_type', source: 'source_id' }

/** A name as the filters of the log take it: one that ends in a star would be a prefix. */
export const exactly = (name) => name.replace(/(\\*)\*$/, '$1$1\\*')

/**
 * @param {string} chain
 * @param {URLSearchParams} state the page's address
 * @param {(changes: object) => void} go
 * @returns {(button: HTMLElement, name: string, text: string) => void} shows the menu beside what was clicked
 */
export function valueMenu(chain, state, go, signal) {
  const leave = { cursor: null, trail: null, event: null }
  const also = (parameter, value) => go({ [parameter]: [...new Set([...state.getAll(parameter), value])], ...leave })
  // What the log has an index for, it finds; all else is looked at here.
  const only = async (name, text) => {
    if (Object.hasOwn(FILTERS, name)) return go({ [FILTERS[name]]: exactly(text), ...leave })
    const field = fieldOf(await searchFields(chain), name)
    if (signal.aborted) return
    return field ? also('key', `${field}:${text}`) : also('is', writeCondition(name, text))
  }
  const not = (name, text) => also('not', writeCondition(name, text))
  return (button, name, text) => {
    document.getElementById('value-menu')?.remove()
    const done = new AbortController()
    const close = () => (menu.remove(), done.abort())
    const choice = (id, words, act) => h('button', { type: 'button', id, onclick: () => (close(), act(name, text)) }, words)
    const menu = h('div', { id: 'value-menu', class: 'menu', role: 'group', 'aria-label': `Events by ${name}` }, choice('only-this', 'Only this', only), choice('not-this', 'Not this', not))
    const { left, bottom } = button.getBoundingClientRect()
    document.body.append(menu)
    menu.style.left = `${Math.max(8, Math.min(left, innerWidth - menu.offsetWidth - 8)) + scrollX}px`
    menu.style.top = `${bottom + scrollY + 2}px`
    menu.querySelector('button').focus({ preventScroll: true })
    const options = { signal: AbortSignal.any([signal, done.signal]) }
    signal.addEventListener('abort', close, { once: true })
    menu.addEventListener('keydown', (pressed) => {
      if (pressed.key !== 'Escape') return
      pressed.stopPropagation()
      close()
      button.focus({ preventScroll: true })
    }, options)
    document.addEventListener('pointerdown', (pressed) => menu.contains(pressed.target) || close(), options)
  }
}
