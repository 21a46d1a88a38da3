// What stands of a chain, for whoever marks single events: now, and whenever the log has news.

import { standingFindings } from './findings.js'
import { standingKnown } from './standing.js'

/**
 * @param {string} chain
 * @param {AbortSignal} signal
 * @param {(found: Map<number, object>) => void} changed called with the findings that are about an event, by its seq
 */
export function watchFindings(chain, signal, changed) {
  let last = ''
  const look = async () => {
    const standing = standingKnown(chain)
    const now = standing?.verdict === 'tampered' ? `${standing.since} ${standing.findings_total} ${standing.last_full_audit?.audit_id}` : ''
    if (now === last || signal.aborted) return
    last = now
    const found = now === '' ? new Map() : (await standingFindings(chain, standing, signal)).bySeq
    if (!signal.aborted && now === last) changed(found)
  }
  const quietly = () => look().catch(() => (last = '')) // the bar says what is wrong; the next look tries again
  document.addEventListener('standing', quietly, { signal })
  quietly()
}
