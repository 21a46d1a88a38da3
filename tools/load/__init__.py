"""Load on a whole log over HTTP, and a check that nothing acknowledged was lost: ``python -m tools.load``."""
