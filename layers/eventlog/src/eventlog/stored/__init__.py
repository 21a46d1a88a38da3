"""Documents as they are stored, byte for byte. Pure: no I/O, so that the verifier can be pure."""
