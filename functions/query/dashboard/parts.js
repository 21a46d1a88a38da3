// Parts that several views show: that something is loading, empty or in the way; badges; hashes.

import { h } from './dom.js'
import { ProblemError } from './api.js'
import { ago, short, time } from './format.js'

export const loading = (what = 'Loading …') => h('p', { class: 'loading', role: 'status' }, what)

/** Nothing there: what that means, and what to do about it. */
export const empty = (title, ...advice) => h('div', { class: 'empty' }, h('p', { class: 'empty-title' }, title), h('p', {}, advice))

/** What went wrong, in the log's own words, and a way to try again. */
export function errorBox(error, again) {
  const reasons = error instanceof ProblemError ? error.errors.map(({ pointer, detail }) => h('li', {}, h('code', {}, pointer), ' ', detail)) : []
  const unreachable = error instanceof TypeError ? 'The log can’t be reached from here.' : error.message
  return h(
    'div',
    { class: 'error', role: 'alert' },
    h('p', {}, unreachable),
    reasons.length > 0 && h('ul', {}, reasons),
    again && h('button', { type: 'button', onclick: again }, 'Try again'),
  )
}

const WORDS = { intact: 'intact', tampered: 'TAMPERED', incomplete: 'incomplete', not_audited: 'not audited yet', running: 'running', passed: 'passed', failed: 'FAILED', skipped: 'not checked' }

/** A status in words and colour, never in colour alone. */
export const badge = (status) => h('span', { class: `badge ${status}` }, WORDS[status] ?? status)

export const moment = (text) => h('time', { datetime: text, title: ago(text) }, time(text))

/** A hash, shortened for the eye and whole for the clipboard and the screen reader. */
export const hash = (text) => h('code', { class: 'hash', title: text }, h('span', { 'aria-hidden': 'true' }, short(text)), h('span', { class: 'unseen' }, text))

export const card = (title, ...children) => h('section', { class: 'card' }, h('h2', {}, title), children)
