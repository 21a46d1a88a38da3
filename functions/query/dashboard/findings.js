// What stands of a chain, in full: named by the standing, told by the reports that found it, counted whatever is named.

import { ask } from './api.js'
import { h } from './dom.js'
import { number, plural, time } from './format.js'
import { sentence } from './verdict.js'

const REPORTS = 5
const BUTTONS = 50

/**
 * @param {object} standing of the chain, as the log shows it
 * @returns {Promise<{bySeq: Map<number, object>, others: object[], total: number}>} what was found at an event, and what
 *     is about no single one
 */
export async function standingFindings(chain, standing, signal) {
  const bySeq = new Map()
  const others = new Map()
  const add = (finding) => {
    if (finding.seq === null) others.set(`${finding.kind} ${finding.detail}`, finding)
    else if (!bySeq.has(finding.seq)) bySeq.set(finding.seq, finding)
  }
  for (const report of await reportsOf(chain, standing, signal)) report.findings.forEach((found) => add({ ...found, audit_id: report.audit_id }))
  const told = new Set([...others.values()].map(({ kind }) => kind))
  for (const named of standing.findings) {
    if (named.seq !== null ? !bySeq.has(named.seq) : !told.has(named.kind)) add({ ...named, detail: `found ${time(named.found_at)} UTC; its report is not there any more` })
  }
  return { bySeq, others: [...others.values()], total: standing.findings_total }
}

/** The reports that first found what stands, and that of the last full audit. */
async function reportsOf(chain, standing, signal) {
  if (standing.findings_total === 0) return []
  const ids = [...standing.findings.map((finding) => finding.audit_id), standing.last_full_audit?.status === 'tampered' && standing.last_full_audit.audit_id]
  const absent = (error) => {
    if (error.status === 404) return null
    throw error
  }
  const wanted = [...new Set(ids.filter(Boolean))].slice(0, REPORTS)
  const found = await Promise.all(wanted.map((id) => ask(`/audits/${encodeURIComponent(id)}`, {}, { signal }).catch(absent)))
  return found.filter((report) => report?.chain === chain)
}

/** What stands, as buttons that lead to the events and a list of the rest; or how the last full audit ended. */
export function marks(chain, standing, { bySeq, others, total }, show, link) {
  if (standing.verdict !== 'tampered') return h('p', { class: 'soft' }, sentence(standing))
  const buttons = [...bySeq.values()].map(({ seq, kind }) => h('button', { type: 'button', onclick: () => show(seq) }, `${number(seq)}: ${kind}`))
  const named = bySeq.size + others.length
  const words = total > named ? `${plural(total, 'finding stands', 'findings stand')}; ${number(named)} of them are named here:` : `${plural(total, 'finding stands', 'findings stand')}:`
  const rest = buttons.length > BUTTONS && h('details', {}, h('summary', {}, `${number(buttons.length - BUTTONS)} more`), h('div', { class: 'row' }, buttons.slice(BUTTONS)))
  const items = others.map(({ kind, detail, audit_id: audit }) => h('li', {}, h('a', { href: link({ view: 'audits', audit }) }, kind), ': ', h('span', {}, detail)))
  return h(
    'div',
    {},
    h('div', { class: 'row', role: 'group', 'aria-label': 'Findings' }, h('span', {}, words), buttons.slice(0, BUTTONS), rest),
    items.length > 0 && h('ul', { 'aria-label': 'Findings that are about no single event' }, items),
  )
}
