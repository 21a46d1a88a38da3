// Audits: run one now, and what the earlier ones said, in words.

import { ask } from '../api.js'
import { announce, h } from '../dom.js'
import { number, plural } from '../format.js'
import { HOME } from '../home.js'
import { meaning, nextStep } from '../meaning.js'
import { badge, card, empty, errorBox, loading, moment } from '../parts.js'
import { forget } from '../standing.js'

const PAGE = 50

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
    ['Started', moment(report.started_at)],
    ['Finished', report.finished_at ? moment(report.finished_at) : 'not yet'],
    ['Root', h('code', {}, report.checked_root ?? '–')],
  ]
  if (report.erased > 0 || report.erasures_pending > 0) rows.push(['Erased', `${plural(report.erased, 'event')} by order of the chain${report.erasures_pending > 0 ? `; ${plural(report.erasures_pending, 'more is', 'more are')} to be` : ''}`])
  if (report.incomplete_because) rows.push(['Incomplete', report.incomplete_because])
  if (report.skew?.events) rows.push(['Clocks', `${plural(report.skew.events, 'event')} arrived over an hour from the time ${report.skew.events === 1 ? 'it states' : 'they state'}. Not tampering; check the senders’ clocks.`])
  const facts = h('dl', { class: 'facts' }, rows.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]))
  return [facts, report.findings_total > 0 && findings(report, link)]
}

function findings({ chain, findings: found, findings_total: total }, link) {
  const items = found.map(({ kind, seq, detail }) =>
    h(
      'li',
      {},
      seq === null ? '' : [h('a', { href: link({ view: 'chain', seq }) }, `Event ${number(seq)}`), ': '],
      h('strong', {}, meaning(kind)),
      h('p', { class: 'small' }, h('code', {}, kind), ' ', h('span', {}, detail)),
      h('p', { class: 'small' }, nextStep(kind, chain)),
    ),
  )
  const more = total > found.length && h('p', {}, `${number(total - found.length)} more are not kept.`)
  return h('div', { class: 'error' }, h('h3', {}, plural(total, 'finding')), h('ul', {}, items), more)
}

function history({ audits }, chosen, link) {
  if (audits.length === 0) return empty('No audit has run yet.', 'The schedule begins within a minute, or run one above.')
  const head = ['Started (UTC)', 'Status', 'Mode', 'Events checked', 'Anchored', 'Findings'].map((title) => h('th', { scope: 'col' }, title))
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
