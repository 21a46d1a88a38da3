"""Anchors: what is signed of a chain and kept outside the database, and where."""
