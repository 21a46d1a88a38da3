// Who looks: signed in by OpenID Connect with PKCE (RFC 7636) where the log names an issuer; locally nobody has to.

import { subtle } from './evidence/webcrypto.js'
import { HOME } from './home.js'
import { reach } from './reach.js'

const STORE = sessionStorage
let settings = null

/** @returns {Promise<{origin: string, signIn: null | {issuer: string, client_id: string, scope: string}}>} */
export async function configuration() {
  settings ??= await reach(`${HOME}dashboard/config.json`, { credentials: 'omit' }).then(read)
  return settings
}

/** A refusal, as of a gateway that has too much to do, names no log: it is told, and never kept as settings. */
async function read(answer) {
  if (!answer.ok) throw new Error(`The page can’t learn now which log this is (${answer.status}).`)
  return answer.json()
}

/** @returns {Promise<Record<string, string>>} the header that says who asks */
export async function bearer() {
  const token = STORE.getItem('token')
  return token ? { Authorization: `Bearer ${token}` } : {}
}

/** Keep a token that the viewer was given, for a server that has tokens and no issuer. */
export const useToken = (token) => STORE.setItem('token', token.trim())

/** The log let the token's bearer in. */
export const accepted = () => STORE.removeItem('new-token')

let renewing = null

/** The log refused the token: sign in anew, once, however many requests it refuses at a time. */
export function refused() {
  renewing ??= renew().finally(() => (renewing = null))
  return renewing
}

/**
 * Not with an issuer whose new token the log just refused, again and again. And not for whoever has signed out: until the page
 * is left it asks without a token.
 */
async function renew() {
  const isNew = STORE.getItem('new-token') !== null
  const { signIn: issuer } = await configuration()
  if (!issuer || isSignedOut()) return
  forget()
  if (!isNew) await signIn()
}

/** Leave for the issuer's page, which sends the viewer back to where they were. */
export async function signIn() {
  const cryptography = subtle() // without it there is no way in, and nobody needs to be asked
  const { signIn: issuer } = await configuration()
  forget()
  const verifier = random()
  const state = random()
  STORE.setItem('signing-in', JSON.stringify({ verifier, state, back: location.search }))
  const { authorization_endpoint: endpoint } = await discover(issuer)
  const challenge = encode(new Uint8Array(await cryptography.digest('SHA-256', new TextEncoder().encode(verifier))))
  const asked = { response_type: 'code', client_id: issuer.client_id, redirect_uri: redirect(), scope: issuer.scope, state }
  const address = new URL(endpoint)
  for (const [name, value] of Object.entries({ ...asked, code_challenge: challenge, code_challenge_method: 'S256' })) address.searchParams.set(name, value)
  if (!isSignedOut()) location.assign(address) // they may have signed out meanwhile, and the page leaves for that
  await new Promise(() => {}) // the page is left
}

/** If the issuer sent the viewer back with a code, exchange it for a token. */
export async function finishSignIn() {
  const returned = new URLSearchParams(location.search)
  const begun = JSON.parse(STORE.getItem('signing-in') ?? 'null')
  if (!returned.has('state')) return
  STORE.removeItem('signing-in')
  history.replaceState(null, '', location.pathname + (begun?.back ?? ''))
  if (returned.get('state') !== begun?.state) throw new Error('The sign-in was not begun here; try again.')
  if (returned.has('error')) throw new Error(`The sign-in was refused: ${returned.get('error_description') ?? returned.get('error')}`)
  const { signIn: issuer } = await configuration()
  const { token_endpoint: endpoint } = await discover(issuer)
  const sent = { grant_type: 'authorization_code', code: returned.get('code'), client_id: issuer.client_id }
  const body = new URLSearchParams({ ...sent, redirect_uri: redirect(), code_verifier: begun.verifier })
  const answer = await reach(endpoint, { method: 'POST', body, credentials: 'omit' }, 'the issuer')
  if (!answer.ok) throw new Error('The issuer gave no token for the sign-in.')
  STORE.setItem('token', (await answer.json()).access_token)
  STORE.setItem('new-token', 'yes')
}

export const isSignedIn = () => STORE.getItem('token') !== null

/** Whether the viewer wants to be out, though the issuer would let them in again unasked. */
export const isSignedOut = () => STORE.getItem('signed-out') !== null

export function signOut() {
  forget()
  STORE.setItem('signed-out', 'yes')
  location.assign(HOME)
}

function forget() {
  for (const name of ['token', 'new-token', 'signed-out']) STORE.removeItem(name)
}

async function discover({ issuer }) {
  const answer = await reach(`${bare(issuer)}/.well-known/openid-configuration`, { credentials: 'omit' }, 'the issuer')
  const found = answer.ok ? await answer.json() : {}
  if (!found.issuer || bare(found.issuer) !== bare(issuer)) throw new Error('The sign-in page can’t be found.')
  return found
}

const bare = (issuer) => issuer.replace(/\/$/, '')
const redirect = () => location.origin + HOME
const random = () => encode(crypto.getRandomValues(new Uint8Array(32)))
const encode = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
