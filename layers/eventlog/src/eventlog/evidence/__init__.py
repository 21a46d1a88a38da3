"""Evidence for others: proofs, checkpoints, tiles and bundles."""
