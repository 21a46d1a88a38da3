"""Benchmarks, load, package checks and pictures. Never deployed."""
