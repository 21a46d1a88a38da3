// A chain without an event: how to log the first one, and a page that turns into it by itself.

import { h } from '../dom.js'
import { copyButton } from '../downloading.js'
import { HOME } from '../home.js'
import { card, empty } from '../parts.js'
import { isSignedIn } from '../session.js'
import { follow } from '../sse.js'

/** @param {{chain: string, again: () => void, signal: AbortSignal}} view again: called when the first event has come */
export function welcome({ chain, again, signal }) {
  const status = h('p', { class: 'soft', role: 'status', id: 'waiting' }, 'Waiting for the first event …')
  const onevent = ({ type }) => type === 'message' && !signal.aborted && again()
  const onstate = (state) => (status.textContent = state === 'live' ? 'Waiting for the first event …' : 'Connection lost. Reconnecting …')
  follow('/events/stream', { chain, from_seq: 0 }, { last: '-1', signal, onevent, onstate }).catch(() => status.remove())
  return [
    empty(`No events in chain “${chain}” yet.`, 'Log the first one:'),
    card('Log an event', command(curl(chain)), status),
    card('Or a week of a small shop, to look around', command('make demo-data'), h('p', { class: 'soft' }, 'It goes to the chain main. On a server of one’s own, ', h('a', { href: `${HOME}docs` }, 'the API is described here'), '.')),
  ]
}

const command = (text) => h('div', {}, h('pre', { tabindex: 0 }, text), copyButton(text))

/** For this host, to be pasted into a shell as it is. */
function curl(chain) {
  const event = { event_type: 'user.login', source_id: 'web-1', timestamp: new Date().toISOString(), payload: { user: 'u-17' }, ...(chain === 'main' ? {} : { chain }) }
  const lines = [`curl -X POST ${location.origin}${HOME}api/v1/events`, "-H 'Content-Type: application/json'", isSignedIn() && '-H "Authorization: Bearer $TOKEN"', `-d '${JSON.stringify(event)}'`]
  return lines.filter(Boolean).join(' \\\n  ')
}
