"""For the tests of people who build on etltctl: a virtual clock, services that follow a script, embedded endpoints.

With pytest, the fixtures `embedded_lake`, `glue_spark` and `virtual_clock` are there as soon as etltctl is installed;
without it, use `open_lake`, `open_spark` and `VirtualClock` as context managers. What succeeds here really succeeded:
the embedded services do the work. Scripts are for what a test cannot wait for: failures, slowness, answers that are
lost or untrue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etltctl.testing.clock import VirtualClock
    from etltctl.testing.lake import EmbeddedLake, open_lake
    from etltctl.testing.scripts import (
        Rule,
        answered,
        changed,
        delayed,
        glue_run,
        lost,
        refused,
        sync_job,
        throttled,
    )
    from etltctl.testing.spark import open_spark

__all__ = [
    "EmbeddedLake",
    "Rule",
    "VirtualClock",
    "answered",
    "changed",
    "delayed",
    "glue_run",
    "lost",
    "open_lake",
    "open_spark",
    "refused",
    "sync_job",
    "throttled",
]

_HOMES = {"VirtualClock": "clock", "EmbeddedLake": "lake", "open_lake": "lake", "open_spark": "spark"}


def __getattr__(name: str) -> Any:
    """Load a name when it is first used: every pytest run imports this for the sake of the fixtures."""
    if name not in __all__:
        raise AttributeError(f"module 'etltctl.testing' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'scripts')}"), name)
    return value
