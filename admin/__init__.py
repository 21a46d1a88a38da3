"""What operators run against a production database: set it up, roles, tokens, restores."""
