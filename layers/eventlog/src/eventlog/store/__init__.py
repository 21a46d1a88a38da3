"""Storage: events, their order and the audit reports in MongoDB, behind the interface in ``interface``."""
