"""Pure formats: canonical JSON, times, hashes, the Merkle tree and the event record. No I/O, no clock, no settings."""
