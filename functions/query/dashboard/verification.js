// "Verify in my browser": five questions that anybody can ask, each answered by a step of evidence/steps.js.

import { ask, ProblemError } from './api.js'
import { certificate } from './certificate.js'
import { fileName, save } from './downloads.js'
import { announce, h } from './dom.js'
import { orderOf } from './erasure.js'
import { EvidenceError } from './evidence/bytes.js'
import { isErased } from './evidence/fields.js'
import { compareServed, verifyEvent } from './evidence/steps.js'
import { subtle } from './evidence/webcrypto.js'
import { heldTo, pin } from './keys.js'
import { ANSWERS, QUESTIONS } from './questions.js'

const PINNABLE = ['no_key', 'other_key']
const UNCHECKED = {
  erased: 'Erased by order of the chain. All that remains is unchanged, and part of the log signed with the key you trust.',
  unanchored: 'All hashes match. Not checked yet: no signed checkpoint covers this event. The next audit signs one.',
  other_key: 'All hashes match. Not checked: the log is signed by another key than the one you pinned. That says nothing of the event.',
  no_key: 'All hashes match. Not checked: who signed the log (no key pinned).',
}
const OTHERWISE = 'All that could be checked matches. Not everything could be.'

/** The outcome of all steps, and what it means in one sentence. */
export function verdictOf(steps) {
  const outcome = ['failed', 'skipped'].find((one) => steps.some((step) => step.outcome === one)) ?? 'passed'
  const reasons = steps.filter((step) => step.outcome === 'skipped').map(({ reason }) => reason)
  const reason = reasons.find((one) => one !== 'erased') ?? reasons[0] // what else is not checked says more
  const words = { failed: 'This event is not what was logged, or the log can’t prove that it is.', skipped: UNCHECKED[reason] ?? OTHERWISE, passed: 'Verified: unchanged, and part of the log signed with the key you trust.' }
  return { outcome, words: words[outcome] }
}

/**
 * Check the very object that is shown, in this browser, and show how: its hashes, the log's proof of it, and that the log
 * still gives this event under its id. What the log gives now is compared with it, never verified in its place.
 */
export async function verification(event, link, signal, again) {
  subtle() // without it nothing can be checked, and nobody needs to be asked
  const { chain, event_id: id } = event
  const path = `/events/${encodeURIComponent(id)}`
  const served = await ask(path, { chain }, { signal }).catch(denied)
  const proof = await ask(`${path}/proof`, { chain }, { signal }).catch(unproven)
  const held = await heldTo(chain)
  const steps = [...(await verifyEvent(event, proof, held)), await compareServed(event, served)]
  if (isErased(event)) await orderOf(event, signal).catch((error) => Object.assign(steps[0], unordered(error)))
  const { outcome, words } = verdictOf(steps)
  announce(words)
  const told = certificate({ event, proof, steps, words, origin: held.origin, at: new Date().toISOString() })
  return h(
    'div',
    { class: 'verification', 'data-outcome': outcome },
    h('p', { class: `verdict ${outcome}` }, words),
    h('ol', { class: 'steps' }, steps.map((step) => shown(step, link, again))),
    h('p', { class: 'row' },
      h('button', { type: 'button', id: 'save-certificate', onclick: () => save(`${fileName(chain, String(event.seq), 'certificate')}.txt`, told, 'text/plain') }, 'Save certificate'),
      h('button', { type: 'button', onclick: () => print() }, 'Print')),
    h('pre', { class: 'certificate' }, told),
  )
}

/** What the log does not give: an event that it has just shown is there (404), and is not damaged. */
function denied(error) {
  if (error instanceof ProblemError && error.status === 404) return new EvidenceError('the log has shown this event, and has none with this id now')
  return damaged(error)
}

/** An event that no checkpoint covers yet has no proof (404). */
function unproven(error) {
  if (error instanceof ProblemError && error.status === 404) return null
  return damaged(error)
}

/** Of what is damaged the log gives nothing (500). Any other failure says nothing of the event, and is thrown again. */
function damaged(error) {
  if (error instanceof ProblemError && error.isDamage) return new EvidenceError(`the log can’t give it: ${error.message}`)
  throw error
}

/** An event that is said to be erased, and that nobody ordered to erase, is not what was logged. */
function unordered(error) {
  if (error instanceof EvidenceError) return { outcome: 'failed', detail: error.message }
  throw error
}

function shown(step, link, again) {
  const bytes = h(
    'details',
    {},
    h('summary', {}, 'Show the calculation'),
    h('p', { class: 'soft' }, `${step.title}: ${step.formula}`),
    h('h3', {}, 'Of'),
    h('pre', { tabindex: 0 }, step.input),
    h('h3', {}, 'Computed here'),
    h('pre', { tabindex: 0 }, step.computed),
    h('h3', {}, 'Claimed by the log'),
    h('pre', { tabindex: 0 }, step.claimed),
  )
  const answer = step.id === 'signature' && step.outcome === 'passed' ? 'the key you trust' : ANSWERS[step.outcome]
  return h(
    'li',
    { class: step.outcome, 'data-step': step.id },
    h('div', { class: 'row' }, h('span', {}, QUESTIONS[step.id]), h('strong', {}, answer)),
    step.detail && h('p', { class: 'small' }, step.detail),
    PINNABLE.includes(step.reason) && pinForm(link, again),
    step.outcome !== 'skipped' && bytes,
  )
}

/** Pin a key where it is missed, and verify once more. */
function pinForm(link, again) {
  const problem = h('p', { role: 'alert', class: 'error small', hidden: true })
  const input = h('input', { id: 'pin-here', required: true, spellcheck: 'false', autocomplete: 'off', placeholder: 'name+id+key', 'aria-label': 'Verifier key' })
  const submit = async (event) => {
    event.preventDefault()
    try {
      await pin(input.value)
      await again()
    } catch (error) {
      problem.textContent = error instanceof EvidenceError ? `That is no verifier key of this log: ${error.message}.` : error.message
      problem.hidden = false
    }
  }
  return h('form', { onsubmit: submit }, h('div', { class: 'row' }, input, h('button', {}, 'Pin')), problem, h('p', { class: 'small' }, 'Take it from the operator or your auditor, never from the log. ', h('a', { href: link({ view: 'keys' }) }, 'Pin a key'), ' has all of them.'))
}
