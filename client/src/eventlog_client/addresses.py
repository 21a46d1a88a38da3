"""Where a token may go: by https, or within this machine; and which proxies requests take."""

import ipaddress
import ssl

import httpx2

from eventlog_client.errors import InsecureError, UnreachableError


def open_http(url: str, token: str | None, timeout: float, inner: httpx2.BaseTransport | None) -> httpx2.Client:
    """Make the HTTP client of a log; nothing is sent yet. ``inner`` is for tests.

    Raises:
        UnreachableError: this is not a URL, or no token.
        InsecureError: a secret would go where others could read it.
    """
    # A header can't hold such a token. Without this check each request would fail with an error about encodings.
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise UnreachableError("the token has characters that no token has")
    # Redirects are not followed, so a token never goes where its user did not send it. A secret over plain http stays
    # in this machine, where no proxy gets to see it either.
    try:
        address = httpx2.URL(url)
        check_secrets(address, token)
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise UnreachableError(f"{bare(url)} is not a URL: {error}") from error
    try:
        return httpx2.Client(
            base_url=address,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timeout,
            transport=inner or direct(address),
            follow_redirects=False,
        )
    except (httpx2.InvalidURL, ValueError, ImportError) as error:
        raise UnreachableError(
            f"HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names no proxy that can be used: {error}"
        ) from error


def direct(url: httpx2.URL | str) -> httpx2.BaseTransport | None:
    """Return a transport that takes no proxy if a URL leads to this machine, else None: the environment decides.

    A proxy would look for the log on its own machine. Elsewhere HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY count.
    """
    address = httpx2.URL(url)
    if not _is_loopback(address.host):
        return None
    # Loading the authorities' certificates is most of a command's time here, and plain http asks for none: a context
    # that trusts nobody is enough.
    return httpx2.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if address.scheme == "http" else True)


def check_secrets(address: httpx2.URL, token: str | None) -> None:
    """Check that no secret, which is the token or a name or password in the URL, goes where others could read it.

    Raises:
        InsecureError: it would, over plain http and off this machine; or the URL's would take the token's place.
    """
    # What is looked at is the very object that requests go to, so nothing can be read in two ways here.
    if token and address.userinfo:
        raise InsecureError(
            "the URL has a user name or password in it, which would go instead of the token: leave it out"
        )
    if (token or address.userinfo) and address.scheme == "http" and not _is_loopback(address.host):
        raise InsecureError(
            f"no token or password is sent to {address.host} over plain http, where others could read it: "
            "use https://, or a tunnel (ssh -L 8000:127.0.0.1:8000 HOST) and http://127.0.0.1:8000"
        )


def _is_loopback(host: str) -> bool:
    """Return whether a host is this machine by its name: localhost, 127.0.0.0/8 or ::1, in no other spelling."""
    if host == "localhost":
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return found in ipaddress.ip_network("127.0.0.0/8") or found == ipaddress.IPv6Address("::1")


def bare(url: str) -> str:
    """Return a URL for messages: without a name or password."""
    scheme, there, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{there}{host.rpartition('@')[2]}{slash}{path}"
