"""TLS to MongoDB, or none where nothing leaves this machine: decided from the connection string, before it is used."""

import ipaddress
import warnings

from pymongo.uri_parser import parse_uri

from eventlog.settings import ConfigurationError

_UNCHECKED = {
    "tlsinsecure": "tlsInsecure",
    "tlsallowinvalidcertificates": "tlsAllowInvalidCertificates",
    "tlsallowinvalidhostnames": "tlsAllowInvalidHostnames",
}
_SRV = "mongodb+srv://"
_EXCEPTION = "EVENTLOG_ALLOW_PLAINTEXT_MONGODB=true allows it in a private network"


def check_uri(uri: str, setting: str = "MONGO_URI") -> None:
    """Check that a connection string asks for TLS, with certificates checked, unless all its hosts are this machine.

    A string that the driver can't read passes: the driver says so itself. No name is resolved.

    Raises:
        ConfigurationError: passwords and events would go over the network in the clear, or to whoever answers; the text
            names the ``setting`` and shows nothing of the string.
    """
    # The driver's own parser, called as its client calls it, decides what the options mean: case, aliases, which of two
    # counts. A value that it does not understand (tls=True) it leaves out with a warning. Only SRV has TLS by default.
    is_srv = uri.startswith(_SRV)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = parse_uri(f"mongodb://{uri.removeprefix(_SRV)}" if is_srv else uri, warn=True)
    except Exception:
        return
    if not is_srv and all(_is_here(str(host)) for host, _ in parsed["nodelist"]):
        return
    options = {str(name).lower(): value for name, value in parsed["options"].items()}
    if not options.get("tls", is_srv):
        raise ConfigurationError(f"{setting} must ask for TLS (tls=true), as it names another machine; {_EXCEPTION}")
    if name := next((_UNCHECKED[name] for name in _UNCHECKED if options.get(name)), None):
        raise ConfigurationError(f"{setting} must not say {name}: whoever answers could be MongoDB; {_EXCEPTION}")


def _is_here(host: str) -> bool:
    """Return whether a host is this machine: a loopback address, localhost or a socket's path."""
    if host.startswith("/") or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
