// The events of a range of a chain, also where one of them is missing or damaged.

import { ask } from './api.js'

/** The events of a range, page after page. The log shows no range in which one is missing or damaged: then each is asked for by itself. */
export async function eventsOf(chain, start, end, signal) {
  const page = async (from, to) => {
    const events = []
    let cursor
    do {
      const found = await ask('/events', { chain, sort: 'seq', from_seq: from, to_seq: to, limit: to - from, cursor }, { signal })
      events.push(...found.events)
      cursor = found.next_cursor
    } while (cursor !== null && events.length < to - from)
    return events
  }
  const isDamaged = (error) => error.status === 500
  try {
    return await page(start, end)
  } catch (error) {
    if (!isDamaged(error)) throw error
  }
  const seqs = Array.from({ length: end - start }, (_, place) => start + place)
  const pages = await Promise.all(
    seqs.map((seq) =>
      page(seq, seq + 1).catch((error) => {
        if (isDamaged(error)) return []
        throw error
      }),
    ),
  )
  return pages.flat()
}
