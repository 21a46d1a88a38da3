// Requests, and what they fail with on the way: an error that says so, so that no other error is taken for one.

/** Somebody can't be reached, or breaks off. */
export class UnreachableError extends Error {}

/**
 * @param {string | URL} address
 * @param {RequestInit} options
 * @param {string} whom named in the error
 * @returns {Promise<Response>}
 */
export const reach = (address, options, whom = 'the server') => onTheWay(fetch(address, options), `Can’t reach ${whom}.`)

/** What fails on the way (a TypeError, to JavaScript) is told in these words. */
export const onTheWay = (promise, words) =>
  promise.catch((error) => {
    throw error instanceof TypeError ? new UnreachableError(words) : error
  })
