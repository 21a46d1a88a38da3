// Audits: run one now, and what the earlier ones said, in words.

import { ask } from '../api.js'
import { announce, h } from '../dom.js'
import { number, own, plural } from '../format.js'
import { HOME } from '../home.js'
import { badge, card, empty, errorBox, loading, moment } from '../parts.js'
import { forget } from '../standing.js'

const PAGE = 50
const MEANING = {
  payload_mismatch: 'The payload is not the one that was logged.',
  payload_missing: 'The payload, which is stored apart from its event, is gone.',
  content_mismatch: 'Something of the event other than its payload was changed.',
  hash_mismatch: 'The stored hash is not what its parts give.',
  link_mismatch: 'The event is not linked to the one before it.',
  node_mismatch: 'A stored node of the Merkle tree is wrong.',
  missing: 'An event is gone.',
  truncated: 'Events are gone at the end.',
  unexpected: 'There is something that no append wrote.',
  sequence_mismatch: 'The document that decides the order contradicts the events.',
  rewritten: 'An anchor, or an earlier audit, knows another history.',
  checkpoint_missing: 'An anchor that was made is not there any more.',
  checkpoint_invalid: 'An anchor is not what was signed.',
  schema_mismatch: 'The database is set up so that queries can miss events.',
  index_mismatch: 'What searches find this event by is not what its payload says.',
  altered: 'Somebody changed what is only ever added, even if it was put back since.',
}

export async function render({ state, chain, go, link, signal }) {
  const chosen = state.get('audit')
  const before = state.get('before')
  const [page, report] = await Promise.all([
    ask('/audits', { chain, limit: PAGE, before }, { signal }),
    chosen && ask(`/audits/${encodeURIComponent(chosen)}`, {}, { signal }),
  ])
  const progress = h('div', { id: 'progress' })
  return [
    card('Run an audit', runForm(chain, progress, go, signal), progress),
    report && (report.chain === chain || report.chain === '' ? card(titleOf(report), ...reportOf(report, link)) : elsewhere(report)),
    card('History', history(page, chosen, link), page.next && h('p', {}, h('a', { href: link({ view: 'audits', before: page.next }) }, 'Older'))),
  ]
}

/** An address may name a report and another chain: what was found of one is never shown under the name of another. */
const elsewhere = ({ chain, audit_id: audit }) => {
  const address = `${HOME}?${new URLSearchParams({ chain, view: 'audits', audit })}`
  return card('Report', h('p', { class: 'notice' }, 'The report of this address is about the chain ', h('a', { href: address }, h('bdi', {}, chain)), '.'))
}

const titleOf = ({ chain }) => (chain === '' ? 'Report on the database as a whole' : `Report on ${chain}`)

function runForm(chain, progress, go, signal) {
  const run = async (mode, buttons) => {
    for (const button of buttons) button.disabled = true
    progress.replaceChildren(loading('The audit begins …'))
    try {
      let report = await ask('/audits', {}, { method: 'POST', body: { chain, mode }, signal })
      while (report.status === 'running') {
        progress.replaceChildren(bar(report))
        await new Promise((resolve) => setTimeout(resolve, 1000))
        report = await ask(`/audits/${report.audit_id}`, {}, { signal })
      }
      forget()
      if (signal.aborted) return
      announce(`The audit ended: ${report.status}, ${plural(report.findings_total, 'finding')}.`)
      await go({ view: 'audits', audit: report.audit_id, before: null })
    } catch (error) {
      if (!signal.aborted) progress.replaceChildren(errorBox(error, () => run(mode, buttons)))
    } finally {
      for (const button of buttons) button.disabled = false
    }
  }
  const full = h('button', { type: 'button', id: 'audit-full', class: 'main' }, 'Audit everything')
  const incremental = h('button', { type: 'button', id: 'audit-new' }, 'Audit what is new')
  full.addEventListener('click', () => run('full', [full, incremental]))
  incremental.addEventListener('click', () => run('incremental', [full, incremental]))
  return h('div', { class: 'row' }, full, incremental, h('span', { class: 'soft' }, `of the chain ${chain}; verified by the log itself, with its key. To rely on nobody, use `, h('code', {}, 'eventlog verify-log'), '.'))
}

function bar({ events_checked: checked, from_seq: from, to_seq: to }) {
  const whole = to === null ? checked : to - from
  return h('p', {}, h('progress', { value: checked, max: Math.max(1, whole), 'aria-label': 'Progress' }), ` ${number(checked)} of ${number(whole)} events`)
}

function reportOf(report, link) {
  const rows = [
    ['Status', badge(report.status)],
    ['Mode', report.mode],
    ['Checked', `${number(report.events_checked)} events, from ${number(report.from_seq)} up to ${report.to_seq === null ? '…' : number(report.to_seq)}`],
    ['Anchored', report.anchored_size === null ? 'no' : `${number(report.anchored_size)} events, ${plural(report.unanchored_events ?? 0, 'event was not yet', 'events were not yet')}`],
    ['Began', moment(report.started_at)],
    ['Ended', report.finished_at ? moment(report.finished_at) : 'not yet'],
    ['Root', h('code', {}, report.checked_root ?? '–')],
  ]
  if (report.incomplete_because) rows.push(['Incomplete', report.incomplete_because])
  if (report.skew?.events) rows.push(['Clocks', `${plural(report.skew.events, 'event claims', 'events claim')} a time over an hour from when it came; no tampering, but worth a look`])
  const facts = h('dl', { class: 'facts' }, rows.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]))
  return [facts, report.findings_total > 0 && findings(report, link)]
}

function findings({ findings: found, findings_total: total }, link) {
  const items = found.map(({ kind, seq, detail }) =>
    h(
      'li',
      {},
      h('strong', {}, own(MEANING, kind, kind)),
      seq === null ? ' ' : [' At ', h('a', { href: link({ view: 'chain', seq }) }, `seq ${number(seq)}`), ': '],
      h('span', {}, detail),
      ' ',
      h('code', {}, kind),
    ),
  )
  const more = total > found.length && h('p', {}, `${number(total - found.length)} more are not kept.`)
  return h('div', { class: 'error' }, h('h3', {}, plural(total, 'finding')), h('ul', {}, items), more)
}

function history({ audits }, chosen, link) {
  if (audits.length === 0) return empty('No audit has run yet.', 'The schedule begins within a minute, or run one above.')
  const head = ['Began (UTC)', 'Status', 'Mode', 'Events checked', 'Anchored', 'Findings'].map((title) => h('th', { scope: 'col' }, title))
  const rows = audits.map((audit) =>
    h(
      'tr',
      { 'aria-selected': String(audit.audit_id === chosen) },
      h('td', { class: 'whole' }, h('a', { href: link({ view: 'audits', audit: audit.audit_id }) }, moment(audit.started_at))),
      h('td', {}, badge(audit.status)),
      h('td', {}, audit.mode),
      h('td', {}, number(audit.events_checked)),
      h('td', {}, audit.anchored_size === null ? '–' : number(audit.anchored_size)),
      h('td', {}, number(audit.findings_total)),
    ),
  )
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Audits' }, h('table', {}, h('thead', {}, h('tr', {}, head)), h('tbody', {}, rows)))
}
