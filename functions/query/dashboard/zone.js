// In which zone times are shown: UTC, as the log has them, or the viewer's own. Both are there on hover.

import { h } from './dom.js'
import { ago, time } from './format.js'

const STORED = 'zone'
const TWO = (value) => String(value).padStart(2, '0')

export const isLocal = () => localStorage.getItem(STORED) === 'local'
export const zoneName = () => (isLocal() ? 'local' : 'UTC')

/** "2026-11-23 12:34:56.789" by the clock of this place at that time, summer time and all. */
export function localTime(text) {
  const at = new Date(text)
  const [year, millis] = [String(at.getFullYear()).padStart(4, '0'), String(at.getMilliseconds()).padStart(3, '0')]
  return `${year}-${TWO(at.getMonth() + 1)}-${TWO(at.getDate())} ${TWO(at.getHours())}:${TWO(at.getMinutes())}:${TWO(at.getSeconds())}.${millis}`
}

/** "+01:00": how far this place was from UTC at that time. */
export function offset(text) {
  const minutes = -new Date(text).getTimezoneOffset()
  return `${minutes < 0 ? '−' : '+'}${TWO(Math.floor(Math.abs(minutes) / 60))}:${TWO(Math.abs(minutes) % 60)}`
}

export const shownTime = (text) => (isLocal() ? localTime(text) : time(text))

/** Both, for whom it matters. */
export const bothTimes = (text) => `${time(text)} UTC\n${localTime(text)} here (${offset(text)})\n${ago(text)}`

export function zoneButton(changed) {
  const toggle = () => {
    localStorage.setItem(STORED, isLocal() ? 'utc' : 'local')
    changed()
  }
  return h('button', { type: 'button', id: 'zone', class: 'quiet', title: 'Times are shown in UTC or in local time. What you type is UTC.', onclick: toggle }, `Times: ${zoneName()}`)
}
