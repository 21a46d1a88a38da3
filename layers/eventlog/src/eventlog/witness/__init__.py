"""A witness of its own: cosigns the checkpoints of logs that it knows, each only if it extends the one before."""
