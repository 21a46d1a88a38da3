// How figures and times are written.

const NUMBER = new Intl.NumberFormat('en')
const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const UNITS = [['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1]]

export const number = (value) => NUMBER.format(value)
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`

/** A table's own entry: names come from addresses and logs, and every object has a `constructor`. */
export const own = (table, name, otherwise) => (Object.hasOwn(table, name) ? table[name] : otherwise)

export const short = (hash) => `${hash.slice(0, 8)}…${hash.slice(-4)}`

/** "2026-11-23 12:34:56.789", in UTC as everything in the log. */
export const time = (text) => text.replace('T', ' ').replace('Z', '')

/** "17:32" of today, "25 Nov 17:32" of this year, "25 Nov 2025 17:32" of another; in UTC as everything in the log. */
export function briefTime(text, now = Date.now()) {
  const today = new Date(now).toISOString()
  const clock = text.slice(11, 16)
  if (text.slice(0, 10) === today.slice(0, 10)) return clock
  return `${day(text, now)} ${clock}`
}

/** "25 Nov", and the year where it is another than this. */
export function day(text, now = Date.now()) {
  const year = text.slice(0, 4)
  const shown = `${Number(text.slice(8, 10))} ${MONTHS[Number(text.slice(5, 7)) - 1]}`
  return year === new Date(now).toISOString().slice(0, 4) ? shown : `${shown} ${year}`
}

/** "3 minutes ago" */
export function ago(text, now = Date.now()) {
  const seconds = (Date.parse(text) - now) / 1000
  const [unit, size] = UNITS.find(([, unitSize]) => Math.abs(seconds) >= unitSize) ?? UNITS.at(-1)
  return RELATIVE.format(Math.round(seconds / size), unit)
}

/** "7 days", "1 hour" */
export function duration(seconds) {
  const [unit, size] = UNITS.find(([, unitSize]) => seconds >= unitSize)
  return plural(seconds / size, unit)
}

/** A payload, for reading. */
export const pretty = (payload) => JSON.stringify(payload, null, 2)
