"""The digest of the code and environment that a server runs with, for commands that find one of another version."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

# What the server hands on to sources and to the package that downloads: it cannot change while the server runs.
INHERITED = re.compile(
    r"(https?|all)_proxy|ssl_cert_(file|dir)|(requests|curl)_ca_bundle|tmpdir|xdg_cache_home", re.IGNORECASE
)


def build_of(environ: Mapping[str, str]) -> str:
    """Return a digest of what a server cannot change while it runs: its code, its Python, its way to the network.

    Args:
        environ: The environment of the process that starts the server.

    Returns:
        16 hexadecimal digits.
    """
    variables = sorted(f"{name}={value}" for name, value in environ.items() if INHERITED.fullmatch(name))
    parts = [version("etltctl"), sys.executable, *_code(), *variables]
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]


def _code() -> Iterator[str]:
    """Yield every module of the server with the time of its last change: a checkout changes under one version."""
    folder = Path(__file__).parents[2]
    for file in sorted(folder.rglob("*.py")):
        yield f"{file.relative_to(folder)} {file.stat().st_mtime_ns}"
