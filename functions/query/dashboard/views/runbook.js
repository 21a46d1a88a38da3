// What to do when tampering was found: the runbook's own text.

import { h } from '../dom.js'
import { card } from '../parts.js'
import { TAMPERING_FOUND } from '../runbook.js'

const PIECES = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\([^)]+\)/g

export const heading = () => 'Tampering found: what to do now'

export function render() {
  return [card('From the runbook', blocks(TAMPERING_FOUND)), h('p', { class: 'soft' }, 'The whole runbook is docs/runbook.md, each kind of finding is in docs/findings.md.')]
}

/** Paragraphs and numbered lists; lines that are indented go on with the item before. */
export function blocks(lines) {
  const shown = []
  let list = null
  let paragraph = null
  for (const line of lines) {
    const item = /^[0-9]+\. (.*)/.exec(line)
    if (item) {
      if (!list) shown.push((list = h('ol', {})))
      list.append(h('li', {}, pieces(item[1])))
      paragraph = null
    } else if (list && line.startsWith('   ')) list.lastElementChild.append(' ', ...pieces(line.trim()))
    else if (line === '') paragraph = list = null
    else if (paragraph) paragraph.append(' ', ...pieces(line))
    else shown.push((paragraph = h('p', {}, pieces(line))))
  }
  return shown
}

/** Code, bold words and the words of links; the rest is text. */
function pieces(text) {
  const shown = []
  let index = 0
  for (const found of text.matchAll(PIECES)) {
    const [whole, code, bold, words] = found
    shown.push(text.slice(index, found.index), code ? h('code', {}, code) : bold ? h('strong', {}, bold) : words)
    index = found.index + whole.length
  }
  return [...shown, text.slice(index)]
}
