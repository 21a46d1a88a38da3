// The keys that this browser holds the log to.

import { h } from '../dom.js'
import { pin, pinned, unpin } from '../keys.js'
import { card, empty } from '../parts.js'

export async function render({ go }) {
  const problem = h('p', { role: 'alert', class: 'error', hidden: true })
  const input = h('textarea', { id: 'vkey', rows: 3, cols: 70, required: true, spellcheck: 'false', placeholder: 'log.example.com/production/main+0a1b2c3d+AW…' })
  const add = async (event) => {
    event.preventDefault()
    try {
      await pin(input.value)
      await go({}, { replace: true })
    } catch (error) {
      problem.textContent = `That is no verifier key: ${error.message}.`
      problem.hidden = false
    }
  }
  const kept = pinned().map((text) =>
    h('li', {}, h('code', {}, text), ' ', h('button', { type: 'button', onclick: () => (unpin(text), go({}, { replace: true })) }, 'Remove')),
  )
  return [
    card(
      'Pinned keys',
      kept.length > 0 ? h('ul', {}, kept) : empty('No key is pinned.', 'Without one, a page can check hashes and proofs, but not who signed them.'),
    ),
    card(
      'Pin a key',
      h('p', {}, 'Take the verifier key from the operator of the log or your own auditor, never from the log itself: whoever could change the log could change the key it shows. It stays in this browser.'),
      h('form', { onsubmit: add, class: 'field' }, h('label', { for: 'vkey' }, 'Verifier key (name+id+key), one a chain'), input, problem, h('div', {}, h('button', { class: 'main' }, 'Pin'))),
    ),
  ]
}
