"""A submission's way in: what is sent is read into submissions, these become drafts, and drafts are appended."""
