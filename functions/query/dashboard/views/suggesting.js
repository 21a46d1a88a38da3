// Suggestions below the search line, as one types: qualifiers, and the values that events have.

import { qualifiers, term, termAt } from '../completing.js'
import { fill, h } from '../dom.js'
import { searchFields, suggestions } from '../fields.js'
import { takeTurn } from '../parts.js'
import { exactly } from './menu.js'

const PAUSE_MILLIS = 120
const NAMES = ['type', 'source']

/** @param {HTMLInputElement} input @returns {HTMLElement} the list, to stand behind it */
export function suggesting(input, chain, signal) {
  const list = h('ul', { id: 'suggestions', role: 'listbox', 'aria-label': 'Suggestions', hidden: true })
  for (const [name, value] of Object.entries({ role: 'combobox', 'aria-autocomplete': 'list', 'aria-controls': 'suggestions', 'aria-expanded': 'false' })) input.setAttribute(name, value)
  let chosen = -1
  let timer = 0
  const close = () => {
    clearTimeout(timer)
    takeTurn(list) // what is on its way comes too late
    list.hidden = true
    chosen = -1
    input.setAttribute('aria-expanded', 'false')
    input.removeAttribute('aria-activedescendant')
  }
  const take = (words) => {
    const { start, end } = termAt(input.value, input.selectionStart)
    const before = input.value.slice(0, start) + words
    input.value = before + (words.endsWith(':') ? '' : ' ') + input.value.slice(end).trimStart()
    input.setSelectionRange(before.length + (words.endsWith(':') ? 0 : 1), before.length + (words.endsWith(':') ? 0 : 1))
    input.focus()
    close()
    if (words.endsWith(':')) show()
  }
  const choose = (index) => {
    chosen = index
    for (const [at, item] of [...list.children].entries()) item.setAttribute('aria-selected', String(at === index))
    if (index >= 0) input.setAttribute('aria-activedescendant', `suggestion-${index}`)
  }
  const show = async () => {
    const isLast = takeTurn(list)
    const { name, value } = termAt(input.value, input.selectionStart)
    const offered = await offers(chain, name, value, signal)
    const now = termAt(input.value, input.selectionStart)
    if (signal.aborted || !isLast() || now.name !== name || now.value !== value) return
    if (offered.length === 0) return close()
    const item = (words, index) => h('li', { role: 'option', id: `suggestion-${index}`, 'aria-selected': 'false', onpointerdown: (pressed) => (pressed.preventDefault(), take(words)) }, h('bdi', {}, words))
    fill(list, offered.map(item))
    list.hidden = false
    chosen = -1
    input.setAttribute('aria-expanded', 'true')
  }
  const press = (pressed) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[pressed.key]
    if (list.hidden) return pressed.key === 'Escape' && close()
    if (step) choose((chosen + step + list.childElementCount) % list.childElementCount)
    else if (pressed.key === 'Escape') close()
    else if ((pressed.key === 'Enter' || pressed.key === 'Tab') && chosen >= 0) take(list.children[chosen].textContent)
    else return
    pressed.preventDefault()
    pressed.stopPropagation()
  }
  input.addEventListener('input', () => {
    clearTimeout(timer)
    timer = setTimeout(show, PAUSE_MILLIS)
  })
  input.addEventListener('keydown', press)
  input.addEventListener('blur', close)
  return list
}

async function offers(chain, name, value, signal) {
  const fields = Object.keys(await searchFields(chain))
  if (name === null) return qualifiers(value, fields).map((one) => `${one}:`)
  if (!NAMES.includes(name) && !fields.includes(name)) return []
  const values = await suggestions(chain, name, value.replace(/\*$/, ''), signal)
  return values.map((one) => term(name, NAMES.includes(name) ? exactly(one) : one))
}
