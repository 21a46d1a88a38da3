// By whom an event was erased, when and on what basis: as the order says, which is an event of the chain itself.

import { h } from './dom.js'
import { EvidenceError, fromHex, toBase64 } from './evidence/bytes.js'
import { isErased } from './evidence/fields.js'
import { verifyHashes } from './evidence/steps.js'
import { number } from './format.js'
import { moment } from './parts.js'
import { eventsOf } from './range.js'
import { configuration } from './session.js'

const TYPE = 'eventlog.erasure'

/**
 * The order that an erased event names, held against the event: the log can't say of any event that it was erased. Who
 * signed the order is not checked here, as that takes the operator's governance key.
 *
 * @param {object} event as the log shows it
 * @returns {Promise<{seq: number, time: string, by: string, basis: string, reason: string}>}
 * @throws {EvidenceError} there is no such order, or it names other events
 */
export async function orderOf(event, signal) {
  const { seq, time } = event.erased
  const [order] = await eventsOf(event.chain, seq, seq + 1, signal)
  const { origin } = await configuration()
  const wrong = `event ${number(seq)} of the chain does not order that it be erased`
  if (order?.event_type !== TYPE || order.seq !== seq || isErased(order)) throw new EvidenceError(wrong)
  if ((await verifyHashes(order, { origin, keys: [] })).some(({ outcome }) => outcome !== 'passed')) throw new EvidenceError(`the order at ${number(seq)} is not what was logged`)
  const lines = String(order.payload.note).split('\n')
  const [name, chain] = lines
  const target = `${event.seq} ${toBase64(fromHex(event.hash, 'hash'))}`
  if (name !== 'eventlog/erasure/v1' || chain !== `${origin}/${event.chain}` || !lines.includes(target)) throw new EvidenceError(wrong)
  const value = (word) => lines.find((line) => line.startsWith(`${word} `))?.slice(word.length + 1) ?? ''
  return { seq, time, by: value('by'), basis: value('basis'), reason: value('reason') }
}

/** What stands in the place of the payload of an erased event. */
export async function erasedNotice(event, link, signal) {
  try {
    const { seq, time, by, basis, reason } = await orderOf(event, signal)
    return h(
      'div',
      { class: 'notice', 'data-erased': seq },
      h('p', {}, h('strong', {}, 'Erased'), ' by order of ', h('bdi', {}, by), ', ', moment(time), '. Basis: ', h('bdi', {}, basis), '. ', h('bdi', {}, reason)),
      h('p', { class: 'small' }, 'All but the payload is as it was logged. The order is ', h('a', { href: link({ view: 'chain', seq }) }, `event ${number(seq)}`), '; who signed it is checked by ', h('code', {}, 'eventlog verify-bundle --governance-key'), '.'),
    )
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error
    return h('p', { class: 'error', 'data-erased': 'unordered' }, `The log says that this event was erased, and ${error.message}.`)
  }
}
