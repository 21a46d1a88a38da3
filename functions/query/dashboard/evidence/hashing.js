// The hashes of format version 1 (README, "Data model"): one formula a function. SHA-256 everywhere.

import { join, toHex, uint64, utf8 } from './bytes.js'
import { canonicalize } from './canonical.js'
import { subtle } from './webcrypto.js'

/** @param {Uint8Array} bytes @returns {Promise<Uint8Array>} */
export const sha256 = async (bytes) => new Uint8Array(await subtle().digest('SHA-256', bytes))

/** The bytes whose hash is the payload's: salt || JCS(payload). */
export const payloadBytes = (salt, payload) => join(salt, utf8(canonicalize(payload)))

/** The text whose hash is the content's: all that is claimed of an event, and its payload's hash. */
export const contentText = (event, payloadHash) =>
  canonicalize({
    v: 1,
    chain: event.chain,
    event_id: event.event_id,
    event_type: event.event_type,
    source_id: event.source_id,
    timestamp: event.timestamp,
    received_at: event.received_at,
    principal: event.principal,
    payload_hash: toHex(payloadHash),
  })

/** uint64_be(seq) || prev_hash || content_hash: 72 bytes. */
export const leaf = (seq, prevHash, contentHash) => join(uint64(seq), prevHash, contentHash)

/** SHA-256(0x00 || leaf), RFC 9162, section 2.1.1: the event's hash and the next one's prev_hash. */
export const leafHash = (bytes) => sha256(join(Uint8Array.of(0), bytes))

/** SHA-256(0x01 || left || right), RFC 9162, section 2.1.1. */
export const nodeHash = (left, right) => sha256(join(Uint8Array.of(1), left, right))

/** The first event's prev_hash. */
export const genesis = (origin, chain) => sha256(utf8(`eventlog/v1\n${origin}/${chain}`))
