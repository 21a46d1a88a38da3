"""What the log does, without HTTP: submissions, queries, cursors, audits."""
