"""Benchmarks: every figure is a ratio to the plain operation, measured alternately in the same run."""
