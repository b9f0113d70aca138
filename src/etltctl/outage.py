"""Services that are being started again just now: calls to them wait, instead of failing one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event
from urllib.parse import urlsplit

from etltctl.errors import EtltctlError

LIMIT_S = 120.0


@dataclass
class _Outage:
    over: Event = field(default_factory=Event)
    error: EtltctlError | None = None


_OUTAGES: dict[str, _Outage] = {}  # by host and port


def begin(url: str) -> None:
    """Let calls to the service at this URL wait."""
    _OUTAGES[urlsplit(url).netloc] = _Outage()


def end(url: str, error: EtltctlError | None = None) -> None:
    """Let the calls go on; with an error every one fails with it at once, because the service does not come back."""
    outage = _OUTAGES.setdefault(urlsplit(url).netloc, _Outage())
    outage.error = error
    # An outage with an error stays, so that later calls fail at once. One that is over is forgotten.
    if error is None:
        del _OUTAGES[urlsplit(url).netloc]
    outage.over.set()


def wait(url: str) -> None:
    """Return once the service can be called, at once where it has no outage.

    Raises:
        EtltctlError: the service does not come back.
    """
    # Every call passes here: without any outage it parses no URL.
    outage = _OUTAGES.get(urlsplit(url).netloc) if _OUTAGES else None
    if outage is None:
        return
    outage.over.wait(LIMIT_S)
    if outage.error is not None:
        raise outage.error
