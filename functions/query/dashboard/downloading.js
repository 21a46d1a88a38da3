// Buttons that make files, and the line that whoever gets one verifies it with.

import { announce, fill, h } from './dom.js'
import { bundles, exportOf, fileName, proofFile, save } from './downloads.js'
import { number, plural } from './format.js'
import { isOriginLine } from './evidence/note.js'
import { pinned } from './keys.js'
import { errorBox } from './parts.js'
import { configuration } from './session.js'

const NDJSON = 'application/x-ndjson'

/** Files of what the list shows. */
export function listDownloads({ chain, parameters, local, signal }) {
  const told = h('div', { class: 'told' })
  const range = { chain, start_time: parameters.start_time, end_time: parameters.end_time }
  const lines = (kind) => async (progress) => {
    const { text, events, isWhole } = await exportOf(kind, parameters, { fit: local.any ? local.fit : undefined, signal, progress })
    save(`${fileName(chain, 'events')}.${kind}`, text, kind === 'csv' ? 'text/csv' : NDJSON)
    return `${plural(events, 'event')} saved.${isWhole ? '' : ' There are more: choose a shorter time range for the rest.'}`
  }
  return h(
    'details',
    { class: 'downloads' },
    h('summary', {}, 'Download'),
    h(
      'div',
      {},
      h('div', { class: 'row' },
        button('CSV of this search', lines('csv'), told, signal, local.any && 'CSV has what the log finds; words and values are looked for here. Take NDJSON.'),
        button('NDJSON of this search', lines('ndjson'), told, signal),
        button('Evidence bundle of this time range', () => saveBundles(fileName(chain, 'evidence'), range, told, signal), told, signal)),
      told,
    ),
  )
}

/** Files of one event: the proof, and a bundle of it with the event before and after it. */
export function eventDownloads(event, signal) {
  const told = h('div', { class: 'told' })
  const name = fileName(event.chain, String(event.seq))
  const proof = async () => {
    save(`${name}.tlog-proof`, await proofFile(event, { signal }), 'text/plain')
    return line(`eventlog verify-proof ${name}.tlog-proof --key ${await keyOf(event.chain)}`)
  }
  const bundle = () => saveBundles(`${name}-evidence`, { chain: event.chain, from_seq: Math.max(0, event.seq - 1), to_seq: event.seq + 2 }, told, signal)
  return h('div', {}, h('div', { class: 'row' }, button('Download proof', proof, told, signal), button('Download evidence', bundle, told, signal)), told)
}

async function saveBundles(name, parameters, told, signal) {
  const parts = await bundles(parameters, { signal })
  const key = await keyOf(parameters.chain)
  const names = parts.map((_, index) => `${name}${parts.length > 1 ? `-${index + 1}` : ''}.ndjson`)
  names.forEach((each, index) => save(each, parts[index], NDJSON))
  return names.map((each) => line(`eventlog verify-bundle ${each} --key ${key}`))
}

/** The key that this browser holds the chain to; else a place for it: it never comes from the log. */
async function keyOf(chain) {
  const { origin } = await configuration()
  return `'${pinned().find((text) => isOriginLine(text.split('+', 1)[0], origin, chain)) ?? 'VKEY'}'`
}

/** A command to send along, and to copy. */
export const line = (command) => h('div', { class: 'row' }, h('code', { class: 'command' }, command), copyButton(command))

/** @param {string | (() => string)} text what to copy; a function: as it is when somebody clicks */
export function copyButton(text, words = 'Copy') {
  const copy = async (click) => {
    await navigator.clipboard?.writeText(typeof text === 'string' ? text : text())
    click.target.textContent = navigator.clipboard ? 'Copied' : 'Select it to copy'
    setTimeout(() => (click.target.textContent = words), 2000)
  }
  return h('button', { type: 'button', class: 'quiet', onclick: copy }, words)
}

function button(words, make, told, signal, refused = false) {
  const act = async () => {
    fill(told, h('p', { class: 'soft', role: 'status' }, 'Preparing …'))
    try {
      const done = await make((count) => fill(told, h('p', { class: 'soft', role: 'status' }, `${number(count)} events so far …`)))
      fill(told, done)
      announce('The file is ready.')
    } catch (error) {
      if (!signal.aborted) fill(told, errorBox(error, act))
    }
  }
  return h('button', { type: 'button', disabled: Boolean(refused), title: refused || null, onclick: act }, words)
}
