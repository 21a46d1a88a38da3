// Parts that several views show: that something is loading, empty or in the way; badges; hashes.

import { h } from './dom.js'
import { ProblemError } from './api.js'
import { own } from './format.js'
import { HOME } from './home.js'
import { bothTimes, shownTime } from './zone.js'

export const loading = (what = 'Loading …') => h('p', { class: 'loading', role: 'status' }, what)

/** Nothing there: what that means, and what to do about it. */
export const empty = (title, ...advice) => h('div', { class: 'empty' }, h('p', { class: 'empty-title' }, title), h('p', {}, advice))

/** What went wrong, in the log's own words, and a way to try again. */
export function errorBox(error, again) {
  const reasons = error instanceof ProblemError ? error.errors.map(({ pointer, detail }) => h('li', {}, h('code', {}, pointer), ' ', detail)) : []
  return h(
    'div',
    { class: 'error', role: 'alert' },
    h('p', {}, error.message),
    reasons.length > 0 && h('ul', {}, reasons),
    again && h('button', { type: 'button', onclick: again }, 'Try again'),
  )
}

/** A chain of which the database does not say what it should. */
export const damagedChain = (chain) =>
  h('p', { class: 'error', role: 'alert' }, `What the log has stored of the chain ${chain} is damaged. An audit says what is wrong: `, h('a', { href: `${HOME}?${new URLSearchParams({ chain, view: 'audits' })}` }, 'run one'), '.')

const WORDS = { intact: 'intact', tampered: 'TAMPERED', incomplete: 'incomplete', not_audited: 'not audited yet', running: 'running', passed: 'passed', failed: 'FAILED', damaged: 'DAMAGED', skipped: 'not checked' }

/** A status in words and colour, never in colour alone. */
export const badge = (status) => h('span', { class: `badge ${status}` }, own(WORDS, status, status))

/** A time in the zone that the viewer chose, both zones on hover; 19: to the second. */
export const moment = (text, characters = undefined) => h('time', { datetime: text, title: bothTimes(text) }, shownTime(text).slice(0, characters))

/** A hash, shortened for the eye alone (style.css): a click selects it whole, whatever the page came over. */
export const hash = (text) => h('code', { class: 'hash', title: text }, text)

export const card = (title, ...children) => h('section', { class: 'card' }, h('h2', {}, title), children)

const turns = new WeakMap()

/**
 * Whoever last began to fill a place fills it: what was begun before, and comes later, is thrown away.
 * @param {HTMLElement} place
 * @returns {() => boolean} whether nobody has begun since
 */
export function takeTurn(place) {
  const turn = Symbol('turn')
  turns.set(place, turn)
  return () => turns.get(place) === turn
}
