// Who of the viewer's witnesses has cosigned the newest checkpoint of a chain, and when. The policy is the viewer's own, in
// this browser alone: never taken from the log, and of this log alone, as another may have been served from this address.

import { ask, request, ProblemError } from './api.js'
import { h } from './dom.js'
import { EvidenceError } from './evidence/bytes.js'
import { verifyCosignatures } from './evidence/cosignature.js'
import { REGISTRY, verifyHead } from './evidence/heads.js'
import { isOriginLine, parseCheckpoint, parseNote, verifyNote } from './evidence/note.js'
import { missing, parsePolicy } from './evidence/policy.js'
import { subtle } from './evidence/webcrypto.js'
import { number, plural } from './format.js'
import { heldTo } from './keys.js'
import { badge, card, moment } from './parts.js'
import { formatTime } from './times.js'
import { configuration } from './session.js'

const STORED = 'witness-policies'
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

/**
 * By default witnesses are asked for the registry alone, which commits to the newest checkpoint of every chain. So where the
 * chain's own checkpoint has no quorum, the way from it up to the registry's checkpoint is checked, and who has cosigned that.
 */
async function blocks(chain, text, signal) {
  const block = async (name, found) => {
    const { outcome, parts } = await found.catch(refused)
    return { outcome, shown: h('div', { 'data-chain': name, 'data-outcome': outcome }, parts) }
  }
  const own = await block(chain, witnessed(chain, text, signal))
  if (chain === REGISTRY || own.outcome !== 'incomplete') return [own.shown]
  const above = await block(REGISTRY, covered(chain, text, signal))
  return above.outcome === 'passed' ? [above.shown, own.shown] : [own.shown, above.shown]
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
  return judged(policy, note, (await verifyNote(note, keys)) !== null, `the checkpoint of ${plural(Number(size), 'event')}`, plural(Number(size), 'event'))
}

/** The chain's head in the registry's commitment, all of it computed here, and the cosignatures of the registry's checkpoint. */
async function covered(chain, text, signal) {
  subtle()
  const policy = await parsePolicy(text)
  const proof = await ask(`/chains/${encodeURIComponent(chain)}/head`, {}, { signal })
  const [own, registry] = await Promise.all([heldTo(chain), heldTo(REGISTRY)])
  // All chains of a log share its keys, so one that is trusted for this chain, or for the registry, is trusted for both.
  const named = policy.logs.map(({ key }) => key).filter(({ name }) => [chain, REGISTRY].some((one) => isOriginLine(name, own.origin, one)))
  const found = await verifyHead(proof, chain, own.origin, [...own.keys, ...registry.keys, ...named].map(({ publicKey }) => publicKey))
  const [head, above] = [plural(Number(found.size), 'event'), `the registry’s checkpoint of ${plural(Number(found.registry.size), 'event')}`]
  const sealed = found.time === null ? '' : moment(formatTime(Number(found.time)))
  const { outcome, parts } = await judged(policy, found.registry.note, found.isSigned, above, head)
  const words = [`Your browser has checked that checkpoint ${number(found.number)} of this chain (${head}`, sealed && [', ', sealed], `) is among the ${plural(found.heads, 'checkpoint')} that ${above} commits to. That it extends the earlier ones eventlog verify-log checks.`]
  return { outcome, parts: [...parts, found.isSigned && h('p', { class: 'soft' }, words)] }
}

/** Who has cosigned a checkpoint, and whether that is a quorum. */
async function judged(policy, note, isSigned, checkpoint, covers) {
  const found = await verifyCosignatures(note, policy.witnesses)
  const lack = missing(policy, new Set(found.filter(({ checked }) => checked).map(({ name }) => name)))
  // A missing quorum is no misconduct: no log waits for witnesses. A line that is wrong is, and was refused above.
  const outcome = lack !== null ? 'incomplete' : isSigned ? 'passed' : 'skipped'
  const item = (witness) => h('li', { 'data-witness': witness.name }, h('strong', {}, witness.name), ' ', when(witness.time), witness.checked ? '' : ' (ML-DSA-44: not checked here)')
  return { outcome, parts: [h('p', {}, badge(outcome), ' ', sentence(checkpoint, covers, lack, isSigned, found)), found.length > 0 && h('ul', {}, found.map(item))] }
}

function sentence(checkpoint, covers, lack, isSigned, found) {
  if (lack !== null) return `Witnessed: ${checkpoint} has no quorum: ${lack}.${found.some(({ checked }) => !checked) ? ' The command (eventlog verify-log --policy) checks all lines.' : ''}`
  if (!isSigned) return `Witnessed: ${covers}, and no key is pinned to check the log's own signature.`
  return found.length > 0 ? `Witnessed: ${covers}, by` : 'Witnessed: the policy asks for nobody.'
}

const when = (seconds) => (seconds < 253402300800n ? moment(formatTime(Number(seconds) * 1000)) : `${seconds} s after 1970`)

/** What is no evidence, and what can't be had now; anything else is thrown again. */
function refused(error) {
  if (error.name === 'AbortError') throw error
  const isDamage = error instanceof ProblemError && error.isDamage
  const outcome = error instanceof EvidenceError || isDamage ? 'failed' : 'skipped'
  if (outcome === 'skipped' && !(error instanceof ProblemError) && error.name !== 'UnsupportedError') throw error
  return { outcome, parts: [h('p', {}, badge(outcome), ' ', `Witnessed: ${error.message}`)] }
}
