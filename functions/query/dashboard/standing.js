// What audits have found and still stands, on every view: the bar under the navigation, the title, the chains' names.
// The log says it (GET /api/v1/standing); nothing is guessed from the last reports.

import { ask } from './api.js'
import { chainDetail } from './chains.js'
import { announce, fill, h } from './dom.js'
import { number, plural } from './format.js'
import { HOME } from './home.js'
import { sentence, tamperedSentence } from './verdict.js'

const NAMED = 20
const AGAIN_MILLIS = 60_000
const MARKS = { tampered: 'TAMPERED', incomplete: 'incomplete', not_audited: 'not audited yet' }
const ORDER = ['tampered', 'incomplete', 'not_audited', 'intact']

/** What the page knows of chains by name, {standing, at}; and of all of them, when it asked last. */
const known = new Map()
let whole = null
let asked = 0
let shownOf = null
let view = ''

const isTampered = () => whole?.verdict === 'tampered'
const isFresh = (at) => Date.now() - at < AGAIN_MILLIS

const place = () => document.getElementById('standing')

/** The title of a view; while anything stands, that comes first. */
const titled = (title) => `${isTampered() ? 'TAMPERED · ' : ''}${title} · Event log`

/** Say what is shown, in the title. */
export function nameView(title) {
  view = title
  document.title = titled(title)
}

/** A chain's name for a list to choose from, with what is wrong with it. */
export function chainWords(chain) {
  const mark = MARKS[known.get(chain)?.standing?.verdict]
  return mark ? `${chain} (${mark})` : chain
}

/** What is known of a chain's standing; undefined: nothing yet. `standing` on the document tells of news. */
export const standingKnown = (chain) => known.get(chain)?.standing

/** Chains as the log lists them: what is known of each is known from now on. */
export function learn(chains) {
  for (const { chain, standing, damaged } of chains) known.set(chain, { standing: standing && { ...standing, damaged: damaged ?? standing.damaged }, at: Date.now() })
}

/** An audit was run: what is known may be wrong now. */
export function forget() {
  known.clear()
  asked = 0
}

/** Chains in the order in which they need somebody's attention, else as they are. */
export const worstFirst = (chains) => chains.toSorted((one, other) => ORDER.indexOf(one.standing?.verdict) - ORDER.indexOf(other.standing?.verdict))

/** "1 tampered, 2 not audited yet, 22 intact" */
export const counted = (chains) => ORDER.filter((verdict) => chains[verdict]).map((verdict) => `${number(chains[verdict])} ${MARKS[verdict]?.toLowerCase() ?? verdict}`).join(', ')

/** Show what stands, and go on showing it as long as the view is there. It is asked for once a minute, not at each step. */
export async function showStanding({ chain, signal }) {
  if (shownOf !== chain) fill(place()) // what was said of another chain is not said beside this one's name
  shownOf = chain
  if (whole && isFresh(asked) && known.has(chain)) show(chain)
  else await look({ chain, signal })
  const timer = setInterval(() => document.hidden || look({ chain, signal }), AGAIN_MILLIS)
  signal.addEventListener('abort', () => clearInterval(timer))
  if (signal.aborted) clearInterval(timer)
}

async function look({ chain, signal }) {
  try {
    const own = known.get(chain)
    const isKnown = own && isFresh(own.at) && own.standing?.verdict !== 'tampered'
    const [all, standing] = await Promise.all([ask('/standing', { limit: NAMED }, { signal }), isKnown ? own.standing : standingOf(chain, signal)])
    if (signal.aborted) return
    const wasTampered = isTampered()
    whole = all
    asked = Date.now()
    // What stood and is not named any more stands no more; what is named does, whatever was known of it before.
    if (all.next === null) for (const [name, { standing: before }] of known) if (before?.verdict === 'tampered') known.delete(name)
    learn([{ chain, standing }, ...all.tampered])
    show(chain)
    if (isTampered() && !wasTampered) announce('An audit has found tampering.')
  } catch (error) {
    if (!signal.aborted) fill(place(), error.status !== 401 && h('p', { class: 'standing-unsure' }, `What audits have found is not known now: ${error.message}`))
  }
}

function show(chain) {
  document.title = titled(view)
  document.getElementById('icon').setAttribute('href', `dashboard/${isTampered() ? 'icon-tampered' : 'icon'}.svg`)
  fill(place(), bar(chain, known.get(chain)?.standing))
  document.dispatchEvent(new Event('standing'))
}

/** What stands of a chain; null: there is none. */
async function standingOf(chain, signal) {
  const found = await chainDetail(chain, { signal })
  return found?.chain === chain ? { ...found.standing, damaged: found.damaged } : null
}

function bar(chain, own) {
  const red = whole.tampered.map((one) => tampered(one.chain, one.standing)).toSorted((one, other) => (other.dataset.chain === chain) - (one.dataset.chain === chain))
  if (whole.database?.verdict === 'tampered') red.push(tampered('', whole.database))
  const more = whole.chains.tampered - whole.tampered.length
  const rest = more > 0 && h('p', {}, `${plural(more, 'more chain was', 'more chains were')} tampered with: `, h('code', {}, 'eventlog status'), ' names all.')
  if (red.length > 0) return h('div', { class: 'standing-bad' }, red.slice(0, 3), red.length > 3 && h('details', {}, h('summary', {}, `${plural(red.length - 3, 'more')}`), red.slice(3)), rest)
  const unsure = whole.database?.verdict === 'incomplete' // what belongs to no chain is in no count of chains
  const good = own?.verdict === 'intact' && !own.damaged && !unsure
  return h('p', { class: good ? 'standing-good' : 'standing-unsure' }, sentence(own), ` All chains: ${counted(whole.chains) || 'none'}.`, unsure && ' The last full audit could not check everything in the database as a whole.')
}

/** What stands of a chain, when it happened, and where to see it. */
function tampered(chain, standing) {
  const [first] = standing.findings
  const shown = first.seq === null || chain === '' ? { view: 'audits', audit: first.audit_id } : { view: 'chain', seq: first.seq }
  const address = `${HOME}?${new URLSearchParams(chain ? { chain, ...shown } : shown)}`
  const help = `${HOME}?${new URLSearchParams(chain ? { chain, view: 'runbook' } : { view: 'runbook' })}`
  return h('p', { 'data-chain': chain }, h('strong', {}, 'TAMPERED: '), h('bdi', {}, tamperedSentence(chain, standing)), ' ', h('a', { href: address }, 'Show it'), ' · ', h('a', { href: help }, 'What to do now'))
}
