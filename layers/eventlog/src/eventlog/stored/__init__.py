"""Documents as they are stored, byte for byte. Pure: no I/O, so that whoever verifies them can stay pure."""
