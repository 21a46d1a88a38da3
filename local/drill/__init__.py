"""The tamper drill: attacks on a log, and what finds them."""
