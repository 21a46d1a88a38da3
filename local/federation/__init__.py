"""`make federation`: three organisations, each with a log and a witness, that cosign each other's checkpoints."""
