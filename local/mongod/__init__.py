"""A MongoDB of our own, for the development server, the drill and the tests."""
