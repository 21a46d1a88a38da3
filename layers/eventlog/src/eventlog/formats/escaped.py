"""How long a text is once it stands in JSON as a string: what an answer's body is to Lambda.

Lambda returns an answer as JSON in which the body is a string, and counts the bytes of that. AWS's runtime client
(``awslambdaric/lambda_runtime_marshaller.py``) writes it in ASCII up to Python 3.11 and wherever it does not know the
runtime, and in UTF-8 from 3.12 on. In ASCII no character takes less, so that is what is counted here.
"""

import json

MOST = 6
"""Bytes that one byte of text may become: a control character and U+007F (``\\u007f``). Of UTF-8's others it is 3."""


def escaped_length(text: bytes) -> int:
    """Return how many bytes a text in UTF-8 takes as a JSON string in ASCII (RFC 8259, section 7), without its quotes.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    return len(json.dumps(text.decode())) - 2
