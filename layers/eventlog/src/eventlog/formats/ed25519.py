"""Which Ed25519 public keys may be trusted at all (RFC 8032, section 5.1).

Anyone can make signatures that verify under a key of small order, without a private key. And a point that can be
written in two ways could pass as two keys. OpenSSL refuses neither kind of key; it does refuse signatures that are not
in canonical form.
"""

from functools import lru_cache

from eventlog.formats.errors import EvidenceError

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P


@lru_cache(maxsize=256)
def check_public_key(public_key: bytes) -> None:
    """Check that a public key has 32 bytes, is in canonical form and is not of small order (1, 2, 4 or 8).

    Raises:
        EvidenceError: it is not such a key.
    """
    if len(public_key) != 32:
        raise EvidenceError("an Ed25519 public key has 32 bytes")
    # The top bit is the sign of x (RFC 8032, section 5.1.2); the rest is y, which must be reduced modulo p.
    y = int.from_bytes(public_key, "little") & (1 << 255) - 1
    if y >= _P:
        raise EvidenceError("the Ed25519 public key is not in canonical form")
    # A point of order 1, 2, 4 or 8 becomes the neutral element, whose y is 1, after three doublings; no other point
    # does.
    for _ in range(3):
        y = _double(y)
    if y == 1:
        raise EvidenceError("the Ed25519 public key is of small order: anyone could sign under it")


def _double(y: int) -> int:
    """Return the y of twice the point with this y. Only the neutral element has y = 1.

    From the curve -x^2 + y^2 = 1 + d x^2 y^2 and the doubling y' = (y^2 + x^2) / (2 - y^2 + x^2).
    """
    yy = y * y
    xx = (yy - 1) * pow(_D * yy + 1, _P - 2, _P)
    return (yy + xx) * pow(2 - yy + xx, _P - 2, _P) % _P
