"""Client of the Event Logging System."""
