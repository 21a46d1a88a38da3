"""Logs and metrics. Never a payload."""
