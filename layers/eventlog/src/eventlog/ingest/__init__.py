"""A submission's way in: native events, CloudEvents, batches and queue messages become drafts, drafts are appended."""
