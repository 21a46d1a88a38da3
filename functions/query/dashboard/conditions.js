// What the log has no index for is looked at here: words, and values that an event must or must not have.

import { hasWords } from './search.js'
import { textAt } from './summary.js'

const FIELDS = { type: 'event_type', source: 'source_id', by: 'principal' }

/** "/user=u-17", "type=user.login": for the address. A pointer may have an equals sign. */
export const writeCondition = (name, text) => `${name.replaceAll('=', '~2')}=${text}`

/** @returns {{name: string, text: string}} name: type, source, by, or an RFC 6901 pointer into the payload */
export function readCondition(written) {
  const at = written.indexOf('=')
  return { name: written.slice(0, Math.max(0, at)).replaceAll('~2', '='), text: written.slice(at + 1) }
}

/** How a condition is told: "user is u-17". */
export const conditionWords = ({ name, text }, isNot) => `${/^\//.test(name) ? name.slice(1).replaceAll('/', '.') : name} ${isNot ? 'is not' : 'is'} ${text}`

const has = (event, { name, text }) => (Object.hasOwn(FIELDS, name) ? event[FIELDS[name]] : textAt(event.payload, name)) === text

/**
 * @param {URLSearchParams} state the page's address
 * @returns {{words: string[], is: string[], not: string[], any: boolean, fit: (event: object) => boolean}}
 */
export function localConditions(state) {
  const [words, is, not] = ['word', 'is', 'not'].map((name) => state.getAll(name))
  const [must, mustNot] = [is.map(readCondition), not.map(readCondition)]
  const fit = (event) => hasWords(event, words) && must.every((one) => has(event, one)) && !mustNot.some((one) => has(event, one))
  return { words, is, not, any: words.length + is.length + not.length > 0, fit }
}
