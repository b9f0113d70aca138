"""What the services charge, region by region."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from etltctl.settings.section import Section

Usd = Annotated[float, Field(ge=0)]


class RegionPrices(Section):
    """What is charged in one region, where it is not the usual price."""

    glue_dpu_hour_usd: Usd | None = None
    athena_tb_usd: Usd | None = None


class Prices(Section):
    """What the services charge, for estimates, budgets and sums, in US dollars.

    The defaults are the list prices of us-east-1; `[prices.regions.NAME]` names what a region charges otherwise.
    """

    glue_dpu_hour_usd: Usd = 0.44
    athena_tb_usd: Usd = 5.0
    regions: dict[str, RegionPrices] = {}

    def of(self, region: str | None) -> Prices:
        """The prices of this region."""
        own = self.regions.get(region or "", RegionPrices())
        return Prices(**{**self.model_dump(), **own.model_dump(exclude_none=True)})
