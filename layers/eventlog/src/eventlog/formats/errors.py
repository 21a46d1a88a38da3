"""The one error of everything that parses or verifies evidence: notes, checkpoints, anchors, proofs, tiles, bundles."""


class EvidenceError(ValueError):
    """Evidence is malformed or does not prove what it should; the text says what is wrong, in one line."""
