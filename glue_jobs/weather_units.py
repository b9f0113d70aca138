"""The guard against Kelvin: temperatures of a stream must fit the unit that the job's settings name."""

from collections.abc import Mapping
from typing import Any

from lake import QualityError

KELVIN_ABOVE = 150.0  # no place on Earth is as hot in Celsius or as cold in Kelvin


def check_units(screened: Mapping[str, Any], units: str) -> None:
    """Check that the median temperature fits the unit that the settings name.

    Raises:
        QualityError: It fits the other unit.
    """
    if not screened["temperatures"]:
        return
    is_kelvin = 2 * screened["hot"] > screened["temperatures"]
    if is_kelvin and units != "standard":
        raise QualityError(
            f"the median temperature is above {KELVIN_ABOVE:.0f}, so it is in Kelvin, but the job's setting units is "
            f'"{units}"; set units = "standard" in [glue.jobs.bronze_to_silver.config]'
        )
    if units == "standard" and not is_kelvin:
        raise QualityError(
            f"the median temperature is not above {KELVIN_ABOVE:.0f}, so it is not in Kelvin, but the job's setting "
            'units is "standard"; set units = "metric" in [glue.jobs.bronze_to_silver.config]'
        )
