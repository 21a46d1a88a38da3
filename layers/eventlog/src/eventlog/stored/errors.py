"""The one error of decoding stored documents."""


class NotOursError(ValueError):
    """A stored document is not of the shape this version writes; the text names the field."""
