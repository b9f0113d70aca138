"""A live Airflow with its lake, for the tests of a real Airflow."""

from __future__ import annotations

from dataclasses import dataclass

from support.services import Airflow
from support.spoilt import SpoiltLake


@dataclass(frozen=True)
class Site:
    """A live Airflow and the lake that its tasks work on."""

    airflow: Airflow
    lake: SpoiltLake

    def settle(self) -> None:
        """End the remaining DAG runs, and wait until none of their remote runs is live."""
        self.airflow.end_runs()
        self.lake.settle()
