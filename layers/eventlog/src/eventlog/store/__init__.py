"""What keeps the log: the contract, its errors, and MongoDB behind it."""
