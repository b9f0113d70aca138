"""The variables that a connector's processes get: those of the network and of the package index, and no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from etltctl.local.kernel.processes import bare_environ

# How this machine reaches a network, with proxies and certificates. Requests of connectors need them too.
NETWORK = re.compile(
    r"(HTTPS?|ALL|NO)_PROXY|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE", re.IGNORECASE
)
# Which index packages come from is the machine's own choice, by the variables of pip and uv.
INDEX = re.compile(r"(PIP|UV)_\w+|NETRC|XDG_CONFIG_HOME|XDG_CACHE_HOME", re.IGNORECASE)


def install_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for pip and uv.

    Args:
        environ: The variables of the server.
    """
    kept = {
        name: value for name, value in environ.items() if NETWORK.fullmatch(name) or INDEX.fullmatch(name)
    }
    # An environment that is active in the user's shell is not the one to install into.
    return {**bare_environ(environ), **kept}


def connector_environ(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the variables for a connector: its home is its private folder, and no key or token of the user is in it.

    Args:
        environ: The variables of the server.
        home: The private folder.
    """
    kept = {name: value for name, value in environ.items() if NETWORK.fullmatch(name)}
    return {**bare_environ(environ), **kept, "HOME": str(home), "TMPDIR": str(home), "PYTHONUNBUFFERED": "1"}
