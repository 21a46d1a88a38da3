// "Verify here": the steps of evidence/steps.js, shown with their bytes.

import { ask, ProblemError } from './api.js'
import { announce, h } from './dom.js'
import { EvidenceError } from './evidence/bytes.js'
import { verifyEvent } from './evidence/steps.js'
import { keyFor } from './keys.js'
import { badge } from './parts.js'

const VERDICTS = {
  failed: 'This event is not what was logged, or the log can’t prove that it is.',
  skipped: 'Everything that could be checked holds. Not all of it could be.',
  passed: 'Verified here: this very event is in the log whose head the pinned key has signed.',
}

/** Ask for the event anew and its proof, check all of it in this browser, and show how. */
export async function verification({ chain, event_id: id }, link, signal) {
  const path = `/events/${encodeURIComponent(id)}`
  const event = await ask(path, { chain }, { signal })
  const proof = await ask(`${path}/proof`, { chain }, { signal }).catch(notAnchored)
  const steps = await verifyEvent(event, proof, await keyFor(proof?.checkpoint))
  const outcome = ['failed', 'skipped'].find((one) => steps.some((step) => step.outcome === one)) ?? 'passed'
  announce(VERDICTS[outcome])
  return h(
    'div',
    { class: 'verification', 'data-outcome': outcome },
    h('p', {}, badge(outcome), ' ', VERDICTS[outcome]),
    h('ol', { class: 'steps' }, steps.map((step) => shown(step, link))),
  )
}

/** An event that no checkpoint covers yet has no proof (404); of what is damaged the log gives none (500). */
function notAnchored(error) {
  if (error instanceof ProblemError && error.status === 404) return null
  if (error instanceof ProblemError && error.status === 500) return new EvidenceError(`the log can’t prove it: ${error.message}`)
  throw error
}

function shown(step, link) {
  const bytes = h(
    'details',
    {},
    h('summary', {}, 'Bytes'),
    h('p', { class: 'soft' }, step.formula),
    h('h3', {}, 'Of'),
    h('pre', { tabindex: 0 }, step.input),
    h('h3', {}, 'Computed here'),
    h('pre', { tabindex: 0 }, step.computed),
    h('h3', {}, 'Claimed by the log'),
    h('pre', { tabindex: 0 }, step.claimed),
  )
  return h(
    'li',
    { class: step.outcome, 'data-step': step.id },
    h('div', { class: 'row' }, h('strong', {}, step.title), badge(step.outcome)),
    step.detail && h('p', {}, step.detail),
    step.id === 'signature' && step.outcome === 'skipped' && h('p', {}, h('a', { href: link({ view: 'keys' }) }, 'Pin a key')),
    step.outcome !== 'skipped' && bytes,
  )
}
