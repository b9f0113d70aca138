"""Proxies of the environment: which addresses go without one, and which proxy no client here can use."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from etltctl.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx

SOCKS = "socks"


def is_loopback(url: str) -> bool:
    """Return whether the address is on this machine, which no proxy can reach."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_direct(url: str) -> bool:
    """Return whether the address is called without a proxy: it is on this machine, or NO_PROXY names its host."""
    return is_loopback(url) or _is_exempt(url)


def is_proxied(url: str) -> bool:
    """Return whether the environment names a proxy for the address, on this machine or not."""
    from urllib.request import getproxies_environment

    return urlsplit(url).scheme in getproxies_environment() and not _is_exempt(url)


def _is_exempt(url: str) -> bool:
    from urllib.request import proxy_bypass

    # The function that botocore asks as well, so that both kinds of clients agree on NO_PROXY.
    return bool(proxy_bypass(urlsplit(url).netloc.rpartition("@")[2]))


def http_transport(url: str) -> httpx.HTTPTransport | None:
    """Return the transport of a client of this address; None lets httpx take the proxies of the environment.

    httpx makes the proxy's transport even for hosts that go without, and fails there if it cannot.

    Raises:
        ConfigurationError: The environment names a SOCKS proxy for the address, and httpx cannot use one.
    """
    import httpx

    if is_direct(url):
        # A separate transport makes httpx ignore the environment's proxies for this client.
        return httpx.HTTPTransport()
    if not _can_socks():
        require_usable(url, "pip install 'httpx[socks]'", everywhere=True)
    return None


def require_usable(url: str, remedy: str, *, everywhere: bool = False) -> None:
    """Refuse a SOCKS proxy for an address.

    Args:
        url: The address that is to be called.
        remedy: What makes the client able to use the proxy; may be empty.
        everywhere: Also refuse the proxies of other schemes, and ALL_PROXY: httpx makes a transport for each.

    Raises:
        ConfigurationError: The environment names a SOCKS proxy.
    """
    from urllib.request import getproxies_environment

    if is_direct(url):
        return
    schemes = ("http", "https", "all") if everywhere else (urlsplit(url).scheme,)
    proxies = getproxies_environment()
    for scheme in schemes:
        proxy = proxies.get(scheme, "")
        if proxy.lower().startswith(SOCKS):
            name = f"{scheme.upper()}_PROXY"
            # The address of a proxy often holds a user and a password.
            shown = re.sub(r"://[^/@]*@", "://***@", proxy)
            ways = [remedy, f"unset {name}", f"add {urlsplit(url).hostname} to NO_PROXY"]
            raise ConfigurationError(
                f"{url} cannot be called through the SOCKS proxy {shown} that {name} names; nothing was sent",
                hint=", or ".join(filter(None, ways)),
            )


def _can_socks() -> bool:
    from importlib.util import find_spec

    return find_spec("socksio") is not None
