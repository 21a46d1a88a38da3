// What a verification found, as a page of text to print or keep.

import { isErased } from './evidence/fields.js'
import { pretty } from './format.js'
import { ANSWERS, QUESTIONS } from './questions.js'

/**
 * @param {{event: object, proof: object | null | Error, steps: import('./evidence/steps.js').Step[], words: string, origin: string, at: string}} found
 *     at: when it was verified
 * @returns {string}
 */
export function certificate({ event, proof, steps, words, origin, at }) {
  const rows = [
    ['Log', origin],
    ['Chain', event.chain],
    ['Position', event.seq],
    ['Event id', event.event_id],
    ['Type', event.event_type],
    ['Source', event.source_id],
    ['Occurred (as stated by the sender)', event.timestamp],
    ['Received', event.received_at],
    ['Sent by', event.principal],
    ['Hash', event.hash],
    ['Verified at', at],
  ]
  const answers = steps.map((step) => `${QUESTIONS[step.id]} ${ANSWERS[step.outcome]}${step.detail ? `. ${step.detail}` : ''}`)
  const checkpoint = proof?.checkpoint ? ['', 'Signed checkpoint', '', proof.checkpoint.trimEnd()] : []
  return [
    'Verification of an event',
    '',
    words,
    '',
    ...rows.map(([name, value]) => `${name}: ${value}`),
    '',
    ...answers,
    '',
    'Payload',
    '',
    isErased(event) ? `Erased, by order of event ${event.erased.seq} of the chain, ${event.erased.time}` : pretty(event.payload),
    ...checkpoint,
    '',
    'This was computed in a browser, by a page that the log served. To rely on nobody, verify the proof with',
    `eventlog verify-proof FILE --key ${steps.some((step) => step.id === 'signature' && step.outcome === 'passed') ? 'the key that was pinned' : 'KEY'}`,
    '',
  ].join('\n')
}
