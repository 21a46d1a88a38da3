// The page: which view the address asks for, what all views share, and how one gives way to another.

import { h, fill } from './dom.js'
import { allChains } from './chains.js'
import { HOME } from './home.js'
import { chainPicker } from './picker.js'
import { empty, errorBox, loading } from './parts.js'
import { configuration, finishSignIn, isSignedIn, isSignedOut, signIn, signOut, useToken } from './session.js'
import { learn, nameView, showStanding } from './standing.js'
import { themeButton } from './theme.js'
import { zoneButton } from './zone.js'
import * as audits from './views/audits.js'
import * as chain from './views/chain.js'
import * as events from './views/events.js'
import * as keys from './views/keys.js'
import * as overview from './views/overview.js'
import * as runbook from './views/runbook.js'

const VIEWS = {
  overview: ['Overview', overview],
  events: ['Events', events],
  chain: ['Chain', chain],
  audits: ['Audits', audits],
  keys: ['Keys', keys],
  runbook: ['What to do now', runbook],
}
const HIDDEN = ['runbook'] // not in the navigation

/** What of the address is about one chain alone: it goes when another is chosen. */
const OF_ONE_CHAIN = { event: null, cursor: null, trail: null, audit: null, before: null, seq: null }

const main = document.getElementById('main')
let leaving = new AbortController()
let chains = []
let areMore = false

/** The state of the page is its address: a link to it shows the same to somebody else. */
const state = () => new URLSearchParams(location.search)

/**
 * Go to another state of the page.
 *
 * @param {Record<string, string | string[] | null>} changes to the address; null or '' takes a parameter out
 * @param {{clear?: boolean, replace?: boolean, entry?: object | null}} how clear: drop all other parameters but the chain;
 *     entry: what the browser's history keeps with the new state
 */
export function go(changes, { clear = false, replace = false, entry = null } = {}) {
  const next = clear ? new URLSearchParams(state().has('chain') ? { chain: state().get('chain') } : {}) : state()
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name)
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null && item !== undefined && item !== '') next.append(name, item)
    }
  }
  const address = next.size ? `${HOME}?${next}` : HOME
  if (replace) history.replaceState(history.state, '', address)
  else history.pushState(entry, '', address)
  return show()
}

/** The address of a state, for a link that can be opened in another tab. */
export function link(changes) {
  const next = new URLSearchParams({ chain: chainName() })
  for (const [name, value] of Object.entries(changes)) next.set(name, value)
  return `${HOME}?${next}`
}

export const chainName = () => state().get('chain') || (chains.some(({ chain }) => chain === 'main') ? 'main' : (chains[0]?.chain ?? 'main'))

async function show() {
  leaving.abort()
  leaving = new AbortController()
  const { signal } = leaving
  if (!state().has('chain')) named()
  const name = Object.hasOwn(VIEWS, state().get('view')) ? state().get('view') : 'overview'
  const [title, view] = VIEWS[name]
  nameView(title)
  const focused = document.activeElement
  showNavigation(name, signal)
  showStanding({ chain: chainName(), signal })
  fill(main, loading())
  try {
    const shown = await view.render({ state: state(), chain: chainName(), go, link, signal })
    if (!signal.aborted) fill(main, h('h1', {}, view.heading?.(state()) ?? title), shown)
  } catch (error) {
    if (!signal.aborted) fill(main, h('h1', {}, title), errorBox(error, show))
  }
  if (!signal.aborted) focusAgain(focused)
}

/** An address always says which chain it is about: for whoever gets the link it may be another that comes first. */
function named() {
  const rest = [...state()]
  history.replaceState(history.state, '', `${HOME}?${new URLSearchParams([['chain', chainName()], ...rest])}`)
}

/** What had the focus is gone with its view: its successor gets it, else the new view as a whole. */
function focusAgain(before) {
  if (document.activeElement !== document.body || before === document.body) return
  const successor = before.id && document.getElementById(before.id)
  const next = successor && !successor.disabled ? successor : main
  next.focus({ preventScroll: true })
}

function showNavigation(current, signal) {
  const items = Object.entries(VIEWS).filter(([name]) => !HIDDEN.includes(name)).map(([name, [title]]) =>
    h('a', { href: link({ view: name }), 'aria-current': name === current ? 'page' : null }, title),
  )
  fill(document.getElementById('nav'), items)
  const choice = chainPicker(chainName(), { chains, more: areMore }, {
    address: (chain) => `${HOME}?${new URLSearchParams({ chain, view: current })}`,
    choose: (chain) => go({ chain, ...OF_ONE_CHAIN }),
    signal,
  })
  const leave = isSignedIn() && h('button', { type: 'button', onclick: signOut }, 'Sign out')
  fill(document.getElementById('tools'), h('span', { class: 'label', 'aria-hidden': 'true' }, 'Chain'), choice, zoneButton(() => go({}, { replace: true })), themeButton(), leave)
}

/** Links within the page change its state without loading it anew. */
document.addEventListener('click', (event) => {
  const anchor = event.target.closest?.('a[href]')
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
  if (!anchor || !plain || anchor.origin !== location.origin || anchor.pathname !== HOME || anchor.hash) return
  event.preventDefault()
  history.pushState(null, '', anchor.href)
  const shown = show()
  const [view, focused] = [leaving, document.activeElement]
  shown.then(() => view === leaving && [focused, document.body, main].includes(document.activeElement) && main.focus({ preventScroll: false }))
})
window.addEventListener('popstate', show)

async function start() {
  try {
    await finishSignIn()
    if (await hasToSignIn()) {
      if (isSignedOut()) return fill(main, h('h1', {}, 'Event log'), signedOut())
      await signIn()
    }
    ;({ chains, more: areMore } = await allChains())
    learn(chains)
  } catch (error) {
    const asksForToken = error.status === 401 && !(await configuration()).signIn
    fill(main, h('h1', {}, 'Event log'), asksForToken ? tokenForm() : errorBox(error, start))
    document.getElementById('token')?.focus()
    return
  }
  await show()
}

const hasToSignIn = async () => (await configuration()).signIn && !isSignedIn()

const signedOut = () => empty('You are signed out.', h('button', { type: 'button', class: 'main', onclick: signIn }, 'Sign in'))

/** A server of one's own may ask for a token (`make token`) instead of a sign-in. */
function tokenForm() {
  const input = h('input', { id: 'token', type: 'password', required: true, autocomplete: 'off', size: 50 })
  const enter = (event) => {
    event.preventDefault()
    useToken(input.value)
    start()
  }
  const why = h('p', {}, isSignedIn() ? 'Token not accepted.' : 'Sign in to view this log.', ' The token stays in this tab.')
  return h('form', { class: 'card field', onsubmit: enter }, why, h('label', { for: 'token' }, 'Token'), input, h('div', {}, h('button', { class: 'main' }, 'Enter')))
}

await start()
