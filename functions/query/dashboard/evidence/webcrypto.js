// The browser's own cryptography (WebCrypto), which it gives to pages from https or from this machine alone.

/** What a check here needs, and this browser does not give: that says nothing of the evidence. */
export class UnsupportedError extends Error {
  name = 'UnsupportedError'
}

export const NEEDS_HTTPS =
  'This needs https or localhost: browsers give no cryptography to a page that came over plain http from another machine. Open the log by https, or through a tunnel to this machine (ssh -L).'

/** @returns {SubtleCrypto} */
export function subtle() {
  if (globalThis.crypto?.subtle) return crypto.subtle
  throw new UnsupportedError(NEEDS_HTTPS)
}
