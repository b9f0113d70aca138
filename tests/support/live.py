"""What the tests of a real Airflow work with."""

from __future__ import annotations

from dataclasses import dataclass

from support.services import Airflow
from support.spoilt import SpoiltLake


@dataclass(frozen=True)
class Site:
    """A live Airflow and the lake its tasks work on."""

    airflow: Airflow
    lake: SpoiltLake

    def settle(self) -> None:
        """Ends what DAG runs are left, and waits until nothing of theirs is live."""
        self.airflow.end_runs()
        self.lake.settle()
