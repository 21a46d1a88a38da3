"""The Event Logging System's shared layer.

Imports point one way: ``http -> service -> store -> formats``. The formats are pure functions over bytes.
"""
