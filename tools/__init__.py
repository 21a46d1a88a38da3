"""Benchmarks, load, package checks and screenshots. Never deployed."""
