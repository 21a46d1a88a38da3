// Who of the viewer's witnesses has cosigned the newest checkpoint of a chain, and when. The policy is the viewer's own, in
// this browser alone: never taken from the log, and of this log alone, as another may have been served from this address.

import { request, ProblemError } from './api.js'
import { h } from './dom.js'
import { EvidenceError } from './evidence/bytes.js'
import { verifyCosignatures } from './evidence/cosignature.js'
import { isOriginLine, parseCheckpoint, parseNote, verifyNote } from './evidence/note.js'
import { missing, parsePolicy } from './evidence/policy.js'
import { subtle } from './evidence/webcrypto.js'
import { number } from './format.js'
import { heldTo } from './keys.js'
import { badge, card, moment } from './parts.js'
import { formatTime } from './times.js'
import { configuration } from './session.js'

const STORED = 'witness-policies'
const REGISTRY = 'eventlog.registry'
const stored = () => JSON.parse(localStorage.getItem(STORED) ?? '{}')

/** The text of the policy for the log that is served now; null: none was given. */
export async function policyText() {
  const { origin } = await configuration()
  const kept = stored()
  return Object.hasOwn(kept, origin) ? kept[origin] : null
}

/** Keep a policy; an empty text removes it. Throws EvidenceError if it is none. */
async function keepPolicy(text) {
  const { origin } = await configuration()
  const { [origin]: _, ...others } = stored()
  const whole = text === '' || text.endsWith('\n') ? text : `${text}\n` // what is pasted often lacks the last newline
  if (whole !== '') await parsePolicy(whole)
  localStorage.setItem(STORED, JSON.stringify(whole === '' ? others : { ...others, [origin]: whole }))
}

/** In the Keys view: the policy, to read and to replace. */
export async function policyCard(go) {
  const problem = h('p', { role: 'alert', class: 'error', hidden: true })
  const input = h('textarea', { id: 'policy', rows: 8, cols: 70, spellcheck: 'false', placeholder: 'witness acme witness.acme.example/w1+0a1b2c3d+BE…\ngroup orgs 2 acme beta gamma\nquorum orgs' })
  input.value = (await policyText()) ?? ''
  const keep = async (event) => {
    event.preventDefault()
    try {
      await keepPolicy(input.value)
      await go({}, { replace: true })
    } catch (error) {
      problem.textContent = error instanceof EvidenceError ? `That is no policy: ${error.message}.` : error.message
      problem.hidden = false
    }
  }
  return card(
    'Witnesses',
    h('p', {}, 'A policy says which witnesses you believe, and how many of them must have cosigned a checkpoint (C2SP tlog-policy; docs/witnesses.md). Take their verifier keys from the witnesses themselves. It stays in this browser; leave it empty for none.'),
    h('form', { onsubmit: keep, class: 'field' }, h('label', { for: 'policy' }, 'Policy'), input, problem, h('div', {}, h('button', { id: 'keep-policy' }, 'Keep'))),
  )
}

/** In the Chain view: how far the chain is anchored, and who of the policy's witnesses has cosigned that. */
export async function witnessedCard(chain, head, link, signal) {
  const anchored = head.last_checkpoint
  const text = await policyText()
  const lines = [anchored ? h('p', {}, `Anchored: ${number(anchored.size)} of ${number(head.size)} events, `, moment(anchored.time), '.') : h('p', {}, 'Not anchored yet.')]
  if (text === null) lines.push(h('p', { class: 'soft' }, 'Witnessed: ', h('a', { href: link({ view: 'keys' }) }, 'give a policy'), ' to see by whom.'))
  else if (anchored) lines.push(...(await blocks(chain, text, signal)))
  return h('section', { class: 'card', id: 'witnessed' }, h('h2', {}, 'Anchored and witnessed'), lines)
}

/** Of a chain that has no quorum itself the registry's is shown too: by default the log has that one alone cosigned. */
async function blocks(chain, text, signal) {
  const block = async (name) => {
    const { outcome, parts } = await witnessed(name, text, signal).catch(refused)
    return { outcome, shown: h('div', { 'data-chain': name, 'data-outcome': outcome }, parts) }
  }
  const own = await block(chain)
  if (chain === REGISTRY || own.outcome !== 'incomplete') return [own.shown]
  const words = `The registry commits to the newest checkpoints of all chains, so that its witnesses have seen theirs. Whether this chain's is among them is not checked here (docs/witnesses.md, "Have a log witnessed").`
  return [own.shown, h('p', { class: 'soft' }, words), (await block(REGISTRY)).shown]
}

async function witnessed(chain, text, signal) {
  subtle() // without it nothing can be checked, and nobody needs to be asked
  const policy = await parsePolicy(text)
  const answer = await request(`/chains/${encodeURIComponent(chain)}/checkpoint`, {}, { signal, headers: { Accept: 'text/plain' } })
  const note = parseNote(await answer.text())
  const { origin, size } = parseCheckpoint(note.text)
  const held = await heldTo(chain)
  if (!isOriginLine(origin, held.origin, chain)) throw new EvidenceError(`the checkpoint is of ${origin}, and not of this chain`)
  // The log's own key: a pinned one, or one that the policy names. Cosignatures of what the log never signed prove nothing of it.
  const keys = [...held.keys, ...policy.logs.map(({ key }) => key)].filter((key) => key.name === origin)
  const signed = await verifyNote(note, keys)
  const found = await verifyCosignatures(note, policy.witnesses)
  const lack = missing(policy, new Set(found.filter(({ checked }) => checked).map(({ name }) => name)))
  // A missing quorum is no misconduct: no log waits for witnesses. A line that is wrong is, and was refused above.
  const outcome = lack !== null ? 'incomplete' : signed ? 'passed' : 'skipped'
  const item = (witness) => h('li', { 'data-witness': witness.name }, h('strong', {}, witness.name), ' ', when(witness.time), witness.checked ? '' : ' (ML-DSA-44: not checked here)')
  return { outcome, parts: [h('p', {}, badge(outcome), ' ', sentence(size, lack, signed, found)), found.length > 0 && h('ul', {}, found.map(item))] }
}

function sentence(size, lack, signed, found) {
  if (lack !== null) return `Witnessed: the checkpoint of ${number(size)} events has no quorum: ${lack}.${found.some(({ checked }) => !checked) ? ' The command (eventlog verify-log --policy) checks all lines.' : ''}`
  if (!signed) return `Witnessed: ${number(size)} events, and no key is pinned to check the log's own signature.`
  return found.length > 0 ? `Witnessed: ${number(size)} events, by` : 'Witnessed: the policy asks for nobody.'
}

const when = (seconds) => (seconds < 253402300800n ? moment(formatTime(Number(seconds) * 1000)) : `${seconds} s after 1970`)

/** What is no evidence, and what can't be had now; anything else is thrown again. */
function refused(error) {
  if (error.name === 'AbortError') throw error
  const outcome = error instanceof EvidenceError ? 'failed' : 'skipped'
  if (outcome === 'skipped' && !(error instanceof ProblemError) && error.name !== 'UnsupportedError') throw error
  return { outcome, parts: [h('p', {}, badge(outcome), ' ', `Witnessed: ${error.message}`)] }
}
