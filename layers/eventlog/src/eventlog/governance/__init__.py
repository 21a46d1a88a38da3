"""Governance: erasures, holds and releases, from a request to the event that orders it, and how erasures are done."""
