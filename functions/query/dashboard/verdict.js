// The one verdict in words: how the last full audit of a chain ended, or what of it was tampered with, and when.

import { briefTime, number, plural } from './format.js'

const REMOVED = ['missing', 'truncated']

/** What the last full audit says of a chain in which nothing stands. */
export function sentence(standing, now = Date.now()) {
  if (standing?.damaged) return 'Damaged: the log can’t read what is stored of this chain.'
  const last = standing?.last_full_audit
  if (!last) return 'Not audited yet. No full audit of this chain has ended.'
  const when = `${briefTime(last.finished_at, now)} UTC, ${plural(last.events_checked, 'event')}.`
  return standing.verdict === 'intact' ? `Intact. Last full audit ${when}` : `Incomplete. The last full audit could not check everything: ${when}`
}

/** "1 event of main was changed between 17:32 and 17:35 UTC." */
export function tamperedSentence(chain, standing, now = Date.now()) {
  return `${what(chain, standing)} ${when(standing, now)}.`
}

/** Events are counted only where all findings are named, and each is about an event; else findings are. */
function what(chain, { findings, findings_total: total }) {
  const where = chain || 'the database as a whole'
  const seqs = new Set(findings.map(({ seq }) => seq))
  const isWhole = total === findings.length && !seqs.has(null)
  if (!isWhole) return total === 1 ? `1 finding in ${where}: it happened` : `${number(total)} findings in ${where}: it happened`
  const kinds = new Set(findings.map(({ kind }) => kind))
  const only = (...some) => [...kinds].every((kind) => some.includes(kind))
  const verb = only(...REMOVED) ? 'removed' : only('unexpected') ? 'added' : 'changed'
  return `${plural(seqs.size, 'event')} of ${where} ${seqs.size === 1 ? 'was' : 'were'} ${verb}`
}

/** It was done after the last clean full audit began, and before it was found. */
const when = ({ since, last_intact: clean }, now) =>
  clean ? `between ${briefTime(clean.started_at, now)} and ${briefTime(since, now)} UTC` : `before ${briefTime(since, now)} UTC; no full audit was clean before`
