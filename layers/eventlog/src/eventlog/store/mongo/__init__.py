"""The log in MongoDB: the only place, beside ``stored``, that knows the driver."""
