"""Samples to start with: an invented Formula 1 season behind the API's contract, and real hourly weather."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from etltctl.local.samples.archive import Archive, InventedArchive, PackArchive
from etltctl.local.samples.ergast import ErgastServer, Throttle
from etltctl.local.samples.weather import weather_documents, weather_fingerprint

__all__ = ["Throttle", "sample_app", "weather_documents", "weather_fingerprint"]


def sample_app(data_pack: Callable[[], Path | None], throttle: Throttle | None = None) -> ErgastServer:
    """Return the F1 API replayed at /ergast/f1: the pack's seasons if there is a pack, else the invented one."""

    def archive() -> Archive:
        pack = data_pack()
        return PackArchive(pack) if pack else InventedArchive()

    return ErgastServer(archive, throttle)
