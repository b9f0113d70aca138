"""What the tests of a real Airflow work with."""

from __future__ import annotations

from dataclasses import dataclass

from services import Airflow
from spoilt import SpoiltLake


@dataclass(frozen=True)
class Site:
    """A live Airflow and the lake its tasks work on."""

    airflow: Airflow
    lake: SpoiltLake
