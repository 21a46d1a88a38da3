// Rows check themselves: as soon as an event is shown, its own hashes are computed here and compared with what the log says.

import { announce } from './dom.js'
import { verifyHashes } from './evidence/steps.js'
import { NEEDS_HTTPS } from './evidence/webcrypto.js'
import { fitsKeys } from './fields.js'
import { number, plural } from './format.js'
import { configuration } from './session.js'

/**
 * Hash an event here, from its payload up to its place.
 *
 * @param {object} event as the log shows it
 * @param {string} chain of which it must be
 * @param {string[]} keys what it was found by
 * @returns {Promise<{outcome: 'passed' | 'failed' | 'skipped' | 'erased', words: string}>} skipped: this browser gives no
 *   cryptography; erased: all but the payload matches, and that is gone
 */
export async function checkEvent(event, chain, keys = []) {
  if (!globalThis.crypto?.subtle) return { outcome: 'skipped', words: NEEDS_HTTPS }
  if (event.chain !== chain) return { outcome: 'failed', words: `It says that it is of the chain ${event.chain}.` }
  const { origin } = await configuration()
  const broken = (await verifyHashes(event, { origin, keys: [] })).filter((step) => step.outcome !== 'passed')
  if (broken.length > 0 && broken.every(({ reason }) => reason === 'erased')) return { outcome: 'erased', words: broken[0].detail }
  if (broken.length === 0 && keys.length > 0 && !(await fitsKeys(chain, keys, event.payload))) return { outcome: 'failed', words: `The search gave it for ${keys.join(' ')}, which its payload doesn’t have.` }
  if (broken.length === 0) return { outcome: 'passed', words: 'Your browser computed the same hashes.' }
  return { outcome: broken.some((step) => step.outcome === 'failed') ? 'failed' : 'skipped', words: broken.map((step) => `${step.title}: ${step.detail}`).join(' ') }
}

/** The checks of a list: a mark in each row, and how many match. */
export class RowChecks {
  constructor(rows, place, chain, keys) {
    Object.assign(this, { rows, place, chain, keys, due: false, told: 0 })
  }

  /** @param {HTMLElement} row @param {HTMLElement} mark the row's cell for it @param {object} event */
  async add(row, mark, event) {
    const unsure = (error) => ({ outcome: 'skipped', words: error.message }) // what fails on the way says nothing of the event
    const { outcome, words } = await checkEvent(event, this.chain, this.keys).catch(unsure)
    row.dataset.check = outcome
    mark.textContent = outcome === 'passed' ? '✓' : outcome === 'failed' ? '✗' : '–'
    mark.title = words
    mark.setAttribute('aria-label', { passed: 'hashes match', failed: 'hashes do not match', erased: 'erased' }[outcome] ?? 'not checked')
    this.tell()
  }

  /** Count what is in the list now, once a turn however many rows were checked. */
  tell() {
    if (this.due) return
    this.due = true
    setTimeout(() => {
      this.due = false
      const rows = [...this.rows.children]
      const of = (outcome) => rows.filter((row) => row.dataset.check === outcome).length
      const [passed, failed, skipped, erased] = [of('passed'), of('failed'), of('skipped'), of('erased')]
      if (passed + failed + skipped + erased === 0) return this.place.replaceChildren()
      this.place.className = failed > 0 ? 'standing-bad' : skipped > 0 ? 'soft' : 'standing-good'
      const words = `${number(passed)} of ${plural(rows.length, 'row')} ${passed === 1 && rows.length === 1 ? 'matches its hashes' : 'match their hashes'}${erased > 0 ? `, ${number(erased)} erased` : ''}`
      this.place.textContent = failed > 0 ? `${words}. ${plural(failed, 'event')} here ${failed === 1 ? 'is' : 'are'} not what was logged.` : skipped > 0 && passed === 0 ? `Rows are not checked here. ${NEEDS_HTTPS}` : words
      if (failed > this.told) announce(this.place.textContent)
      this.told = failed
    })
  }
}
