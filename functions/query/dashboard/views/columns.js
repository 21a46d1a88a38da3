// Which columns the table of events has: the viewer chooses, and this browser keeps it.

import { h } from '../dom.js'
import { zoneName } from '../zone.js'

const STORED = 'columns'
const TITLES = { time: 'Time', received: 'Received', type: 'Type', source: 'Source', summary: 'What', principal: 'Sent by', id: 'Id', seq: 'Seq' }
const USUAL = ['time', 'type', 'source', 'summary', 'seq']
const ALWAYS = 'type' // it opens the event

function names() {
  const kept = JSON.parse(localStorage.getItem(STORED) ?? 'null')
  return Array.isArray(kept) ? Object.keys(TITLES).filter((name) => kept.includes(name) || name === ALWAYS) : USUAL
}

/** @returns {[string, string][]} names and titles, in their order */
export const chosenColumns = () => names().map((name) => [name, name === 'time' || name === 'received' ? `${TITLES[name]} (${zoneName()})` : TITLES[name]])

/** A box for each column; `changed` is called after each choice. */
export function columnChooser(changed) {
  const choose = () => {
    localStorage.setItem(STORED, JSON.stringify(boxes.filter((box) => box.checked).map((box) => box.name)))
    changed()
  }
  const chosen = names()
  const boxes = Object.keys(TITLES).map((name) => h('input', { type: 'checkbox', name, id: `column-${name}`, checked: chosen.includes(name), disabled: name === ALWAYS, onchange: choose }))
  return h('details', { class: 'columns' }, h('summary', {}, 'Columns'), h('div', { class: 'row' }, boxes.map((box) => h('label', { for: box.id }, box, ` ${TITLES[box.name]}`))))
}
