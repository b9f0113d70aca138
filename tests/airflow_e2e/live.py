"""What the tests of a real Airflow work with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services import Airflow
from spoilt import SpoiltLake


@dataclass(frozen=True)
class Site:
    """A live Airflow and the lake its tasks work on."""

    airflow: Airflow
    lake: SpoiltLake

    @contextmanager
    def slow_job(self, seconds: float) -> Iterator[None]:
        """The small job takes so long: `local up` brings the script to where Glue finds it, and the honest one back."""
        try:
            with self.lake.slow_script(seconds):
                self.lake.run("local", "up")
                yield
        finally:
            self.lake.run("local", "up")
