// Times as the log reads and writes them, whatever the browser's own zone is. The same rules in Python: formats/times.py.

const RFC3339 = /^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))?$/
const AFTER_ALL = /^(?:\+0)?10000-01-01[Tt]00:00:00(?:\.0+)?(?:[Zz]|[+-]00:00)?$/

/** The first millisecond after all times that an event can have: what a range with the last one in it ends before. */
export const MAX_END = 253_402_300_800_000

/**
 * @param {string} text an RFC 3339 time; one without a zone is UTC
 * @returns {number} its milliseconds since 1970, finer digits dropped; NaN: it is no time that the log takes
 */
export function parseTime(text) {
  const millis = read(text)
  return millis < MAX_END ? millis : NaN
}

/** The exclusive end of a range: a time, or the first one after all times. */
export function parseEnd(text) {
  if (AFTER_ALL.test(text)) return MAX_END
  const millis = read(text)
  return millis <= MAX_END ? millis : NaN
}

function read(text) {
  const [, day, clock, fraction = '', sign, hours = '00', minutes = '00'] = RFC3339.exec(text) ?? []
  const written = `${day}T${clock}.${fraction.slice(0, 3).padEnd(3, '0')}Z`
  const local = new Date(written)
  // ECMAScript reads days that no month has as days of the next one, so what it read is written again.
  if (Number.isNaN(local.getTime()) || local.toISOString() !== written || hours > '23' || minutes > '59') return NaN
  const offset = 60_000 * (60 * Number(hours) + Number(minutes))
  const millis = local.getTime() - (sign === '-' ? -offset : offset)
  return millis >= 0 ? millis : NaN
}

/** As the log writes it; also the end of a range. */
export const formatTime = (millis) => (millis === MAX_END ? '10000-01-01T00:00:00.000Z' : new Date(millis).toISOString())

/** The range of so many seconds before an end, as parameters of a request; no event is before 1970 or after 9999. */
export const rangeBefore = (end, seconds) => ({ start_time: formatTime(Math.max(0, end - seconds * 1000)), end_time: formatTime(Math.min(MAX_END, end)) })
