// "Verify here": the steps of evidence/steps.js, shown with their bytes.

import { ask, ProblemError } from './api.js'
import { announce, h } from './dom.js'
import { EvidenceError } from './evidence/bytes.js'
import { compareServed, verifyEvent } from './evidence/steps.js'
import { subtle } from './evidence/webcrypto.js'
import { heldTo } from './keys.js'
import { badge } from './parts.js'

const VERDICTS = {
  failed: 'This event is not what was logged, or the log can’t prove that it is.',
  skipped: 'Everything that could be checked holds. Not all of it could be.',
  passed: 'Verified here: this very event is in the log whose head the pinned key has signed.',
}

/**
 * Check the very object that is shown, in this browser, and show how: its hashes, the log's proof of it, and that the log
 * still gives this event under its id. What the log gives now is compared with it, never verified in its place.
 */
export async function verification(event, link, signal) {
  subtle() // without it nothing can be checked, and nobody needs to be asked
  const { chain, event_id: id } = event
  const path = `/events/${encodeURIComponent(id)}`
  const served = await ask(path, { chain }, { signal }).catch(denied)
  const proof = await ask(`${path}/proof`, { chain }, { signal }).catch(unproven)
  const steps = [...(await verifyEvent(event, proof, await heldTo(chain))), await compareServed(event, served)]
  const outcome = ['failed', 'skipped'].find((one) => steps.some((step) => step.outcome === one)) ?? 'passed'
  announce(VERDICTS[outcome])
  return h(
    'div',
    { class: 'verification', 'data-outcome': outcome },
    h('p', {}, badge(outcome), ' ', VERDICTS[outcome]),
    h('ol', { class: 'steps' }, steps.map((step) => shown(step, link))),
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
