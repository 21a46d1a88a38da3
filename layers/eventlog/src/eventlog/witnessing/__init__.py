"""Asks others' witnesses to cosign this log's anchors, and reads their policies."""
