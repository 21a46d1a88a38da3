"""The Event Logging System's shared layer.

Imports point one way, from ``http`` down to ``formats``: the contracts in pyproject.toml list the rooms in their order.
"""
