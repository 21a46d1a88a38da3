// Which chain: found by how its name begins, tampered and unaudited ones first.

import { ask } from './api.js'
import { fill, h } from './dom.js'
import { number } from './format.js'
import { chainWords, learn, standingKnown, worstFirst } from './standing.js'

const SHOWN = 50
const PAGE = 1000

/**
 * @param {string} current
 * @param {{chains: object[], more: boolean}} known more: the log has others, which are asked for as somebody types
 * @param {{address: (chain: string) => string, choose: (chain: string) => void, signal: AbortSignal}} page address: of it for a chain
 */
export function chainPicker(current, known, { address, choose, signal }) {
  const button = h('button', { type: 'button', id: 'chain', 'aria-haspopup': 'true', 'aria-expanded': 'false', title: `Chain ${current}` })
  const search = h('input', { id: 'chain-search', type: 'search', placeholder: 'Find by how it begins', autocomplete: 'off', spellcheck: 'false', 'aria-label': 'Find a chain by how its name begins' })
  const list = h('ul', { id: 'chain-list', 'aria-label': 'Chains' })
  const box = h('div', { class: 'chain-box', hidden: true }, search, list)
  const element = h('div', { class: 'picker' }, button, box)
  const name = () => fill(button, h('bdi', {}, chainWords(current)))
  const open = (isOpen) => {
    box.hidden = !isOpen
    button.setAttribute('aria-expanded', String(isOpen))
    if (isOpen) show()
  }
  const take = (chain) => (open(false), choose(chain))
  const item = ({ chain }) => {
    const chosen = (click) => {
      if (click.metaKey || click.ctrlKey || click.shiftKey) return
      click.preventDefault()
      click.stopPropagation()
      take(chain)
    }
    return h('li', {}, h('a', { href: address(chain), 'data-chain': chain, class: standingKnown(chain)?.verdict ?? '', 'aria-current': chain === current ? 'true' : null, onclick: chosen }, h('bdi', {}, chainWords(chain))))
  }
  /** Whether the list is of what the box says now. */
  const show = async () => {
    const prefix = search.value.trim()
    const found = await matching(prefix, known)
    if (box.hidden || search.value.trim() !== prefix) return false
    const rest = found.length - SHOWN
    fill(list, found.slice(0, SHOWN).map(item), found.length === 0 && h('li', { class: 'soft' }, `No chain begins with “${prefix}”.`), rest > 0 && h('li', { class: 'soft' }, `${number(rest)}${known.more ? ' and more' : ''} others: type how the name begins.`))
    return true
  }
  const takeFirst = async () => (await show()) && list.querySelector('a')?.click()
  button.addEventListener('click', () => {
    open(box.hidden)
    if (!box.hidden) search.focus()
  })
  search.addEventListener('input', show)
  element.addEventListener('keydown', (pressed) => press(pressed, { list, search, takeFirst, close: () => (open(false), button.focus()) }))
  element.addEventListener('focusout', (left) => left.relatedTarget && !element.contains(left.relatedTarget) && open(false))
  document.addEventListener('pointerdown', (pressed) => element.contains(pressed.target) || open(false), { signal })
  document.addEventListener('standing', name, { signal })
  name()
  return element
}

/** Those that need attention first; the log is asked where this page has not all of them. */
async function matching(prefix, { chains, more }) {
  const own = chains.filter(({ chain }) => chain.startsWith(prefix))
  if (!more || prefix === '' || own.length > SHOWN) return worstFirst(own)
  const found = await ask('/chains', { after: before(prefix), limit: PAGE }).catch(() => ({ chains: [] }))
  const others = found.chains.filter(({ chain }) => chain.startsWith(prefix))
  learn(others)
  return worstFirst([...new Map([...own, ...others].map((one) => [one.chain, one])).values()])
}

const LETTERS = '-.0123456789_abcdefghijklmnopqrstuvwxyz'

/** A name that comes before all that begin so, and behind all others that do: for a page after it. */
export function before(prefix) {
  const last = LETTERS.indexOf(prefix.at(-1))
  if (last < 0) return ''
  const start = prefix.slice(0, -1)
  if (last === 0 || (start === '' && LETTERS[last] === '0')) return start
  const lower = start === '' && LETTERS[last] === 'a' ? '9' : LETTERS[last - 1]
  return `${start}${lower}`.padEnd(64, 'z')
}

function press(pressed, { list, search, takeFirst, close }) {
  if (pressed.key === 'Escape') return close()
  const links = [...list.querySelectorAll('a')]
  const at = links.indexOf(document.activeElement)
  const step = { ArrowDown: 1, ArrowUp: -1 }[pressed.key]
  if (pressed.key === 'Enter' && pressed.target === search) takeFirst()
  else if (step) (links[at + step] ?? (step < 0 ? search : null))?.focus()
  else return
  pressed.preventDefault()
}
