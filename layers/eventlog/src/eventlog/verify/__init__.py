"""The verifier of stored documents: documents in, findings out. Pure."""
