// Times as people type them into a field: "2026-11-23", "-2h", "yesterday". Days are UTC, as everything that is typed.

import { formatTime, MAX_END, parseEnd, parseTime } from './times.js'

const DAY = 86_400_000
const UNITS = { s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: DAY, w: 7 * DAY }
const BEFORE = /^-? ?([0-9]{1,6}) ?(s|min|m|h|d|w)(?: ago)?$/i
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/
const MINUTE = /^([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]+)?)?$/

export const ALLOWED = '2026-11-23, 2026-11-23 17:30, 2026-11-23T17:30:00+01:00, -2h (s, m, h, d, w), yesterday, today, now'

/**
 * @param {string} text as typed; blanks around it don't count
 * @param {number} now milliseconds since 1970
 * @param {boolean} isEnd whether it ends a range, which may end after all times
 * @returns {string | null} the moment as RFC 3339, '' for an empty field; null: that is no time
 */
export function readWhen(text, now, isEnd = false) {
  const given = text.trim()
  if (given === '') return ''
  const millis = millisOf(given, now, isEnd ? parseEnd : parseTime)
  return Number.isNaN(millis) || millis > MAX_END ? null : formatTime(millis)
}

function millisOf(given, now, parse) {
  const midnight = Math.floor(now / DAY) * DAY
  const [, count, unit] = BEFORE.exec(given) ?? []
  if (unit) return Math.max(0, now - Number(count) * UNITS[unit.toLowerCase()])
  const words = { now, today: midnight, yesterday: midnight - DAY }
  if (Object.hasOwn(words, given.toLowerCase())) return words[given.toLowerCase()]
  if (DATE.test(given)) return parse(`${given}T00:00:00Z`)
  const [, date, minute, seconds = ':00'] = MINUTE.exec(given) ?? []
  return parse(date ? `${date}T${minute}${seconds}` : given)
}
