"""The live stream: one watcher a chain, many readers."""
