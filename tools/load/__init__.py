"""Load on a whole log over HTTP, and the proof that nothing acknowledged was lost: ``python -m tools.load``."""
