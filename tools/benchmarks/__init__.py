"""Benchmarks: every figure is a ratio to the plain operation, measured in turn with it in the same run."""
