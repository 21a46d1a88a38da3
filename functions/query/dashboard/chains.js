// All chains, page by page.

import { ask } from './api.js'

const PAGE = 1000
const PAGES = 20

/** @returns {Promise<{chains: object[], more: boolean}>} by name; more: there are others, too many to choose from a list */
export async function allChains(signal) {
  const chains = []
  let after = ''
  for (let page = 0; after !== null && page < PAGES; page += 1) {
    const found = await ask('/chains', { after, limit: PAGE }, { signal })
    chains.push(...found.chains)
    after = found.next
  }
  return { chains, more: after !== null }
}

/** @returns {Promise<object | null>} a chain's head; null if there is no such chain; of a damaged one only what stands of it */
export const chainDetail = (chain, options) =>
  ask(`/chains/${encodeURIComponent(chain)}`, {}, options).catch((error) => {
    if (error.status === 404 || error.status === 422) return null // 422: no chain can have that name
    throw error
  })
