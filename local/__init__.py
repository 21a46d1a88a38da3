"""The development server and the demo: the whole system on one machine. Never deployed."""
