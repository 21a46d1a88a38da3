"""Audits: plan, scan, conclude; reports, and the schedule."""
