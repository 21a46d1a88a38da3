"""What each function works with: one module a function says what it opens, over one connection to MongoDB."""
