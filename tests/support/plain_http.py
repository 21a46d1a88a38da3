"""Requests to servers of this machine: ``get``, ``post``, ``request`` and ``stream``, as httpx2 has them.

Those of httpx2 load the certificates of all authorities each time, which takes ten times as long as the request.
"""

import ssl

import httpx2

_TRUSTING_NOBODY = httpx2.HTTPTransport(
    verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    limits=httpx2.Limits(max_keepalive_connections=0),  # the server may be another one the next time
)
CLIENT = httpx2.Client(transport=_TRUSTING_NOBODY)
get, post, request, stream = CLIENT.get, CLIENT.post, CLIENT.request, CLIENT.stream
