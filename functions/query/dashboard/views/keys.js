// The keys that this browser holds the log to.

import { ask } from '../api.js'
import { h } from '../dom.js'
import { EvidenceError } from '../evidence/bytes.js'
import { isOriginLine } from '../evidence/note.js'
import { NEEDS_HTTPS } from '../evidence/webcrypto.js'
import { isOf, pin, pinned, unpin } from '../keys.js'
import { card, empty } from '../parts.js'
import { configuration } from '../session.js'
import { policyCard } from '../witnesses.js'

export async function render({ chain, go, signal }) {
  const problem = h('p', { role: 'alert', class: 'error', hidden: true })
  const input = h('textarea', { id: 'vkey', rows: 3, cols: 70, required: true, spellcheck: 'false', placeholder: 'log.example.com/production/main+0a1b2c3d+AW…' })
  const add = async (event) => {
    event.preventDefault()
    try {
      await pin(input.value)
      await go({}, { replace: true })
    } catch (error) {
      problem.textContent = error instanceof EvidenceError ? `That is no verifier key of this log: ${error.message}.` : error.message
      problem.hidden = false
    }
  }
  const { origin } = await configuration()
  const item = (text) => h('li', {}, h('code', {}, text), ' ', h('button', { type: 'button', onclick: () => (unpin(text), go({}, { replace: true })) }, 'Remove'))
  const kept = pinned().filter((text) => isOf(origin, text))
  const foreign = pinned().filter((text) => !isOf(origin, text))
  const name = await originLine(chain, origin, signal)
  return [
    !globalThis.crypto?.subtle && h('p', { class: 'notice', id: 'insecure' }, NEEDS_HTTPS),
    card(
      'Pinned keys',
      name && coverage(name, chain),
      kept.length > 0 ? h('ul', {}, kept.map(item)) : empty('No key is pinned.', 'Without one, a page can check hashes and proofs, but not who signed them.'),
      foreign.length > 0 && [h('p', { class: 'notice', id: 'foreign' }, `Keys of other logs, which count for nothing here: this log is ${origin}.`), h('ul', {}, foreign.map(item))],
    ),
    card(
      'Pin a key',
      h('p', {}, 'Take the verifier key from the operator of the log or your own auditor, never from the log itself: whoever could change the log could change the key it shows. It stays in this browser.'),
      h('form', { onsubmit: add, class: 'field' }, h('label', { for: 'vkey' }, 'Verifier key (name+id+key), one a chain'), input, problem, h('div', {}, h('button', { class: 'main' }, 'Pin'))),
    ),
    await policyCard(go),
  ]
}

/** What a key for the chain is called; null: the log can't be asked, or has no such chain. */
async function originLine(chain, origin, signal) {
  const found = await ask(`/chains/${encodeURIComponent(chain)}`, {}, { signal }).catch(() => null)
  const line = found?.last_checkpoint?.note.split('\n', 1)[0]
  return found && (line && isOriginLine(line, origin, chain) ? line : `${origin}/${chain}`)
}

function coverage(name, chain) {
  const has = pinned().some((text) => text.startsWith(`${name}+`))
  const words = has ? 'A key is pinned for' : 'No key is pinned for'
  return h('p', { class: has ? 'soft' : 'notice', id: 'coverage' }, `${words} the chain ${chain}. The log says that the name of such a key is `, h('code', {}, name), '; compare it with the key that you were given.')
}
